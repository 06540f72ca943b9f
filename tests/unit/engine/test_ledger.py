from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from durun.engine.ledger import Ledger
from durun.journal.api import SequenceConflict
from durun.journal.reading import read_state
from durun.model import event as ev
from durun.model.decide import Start, decide
from durun.model.event import Stamped
from durun.model.progress import Progress
from durun.model.task import TaskKey

BOOK = "steps:\n  - {id: a, run: x}\n  - {id: b, run: x}\n"
CANCEL = ev.CancelRequested(reason="enough", by={"uid": 7})


class Hears:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Stamped] = []

    def saw(self, events: Sequence[Stamped], state: Any) -> None:
        assert state.record.sequence >= events[-1].sequence
        self.told += events

    @property
    def numbers(self) -> list[int]:
        return [stamped.sequence for stamped in self.told]


@pytest.fixture
def run(told: Callable[..., Any]) -> Any:
    return told(BOOK)


@pytest.fixture
def hears() -> Hears:
    return Hears()


@pytest.fixture
def ledger(run: Any, hears: Any) -> Ledger:
    return Ledger(run.journal, run.state, run.plan, run.clock, hears)


def skip(step: str) -> ev.TaskSkipped:
    return ev.TaskSkipped(step=step, reason="no")


def foreign(run: Any, event: ev.Event) -> None:
    """Somebody else appends."""
    run.journal.append("r1", run.journal.head("r1"), [event], run.clock.time)


def test_what_is_emitted_counts_at_once_and_is_durable_with_the_commit(run: Any, ledger: Ledger, hears: Hears) -> None:
    ledger.begin_turn()
    ledger.emit(skip("a"))
    assert ledger.state.tasks[TaskKey("a")].status == "skipped"
    assert (ledger.pending, run.journal.head("r1"), hears.told) == (1, 2, [])
    ledger.emit(skip("b"))
    ledger.commit()
    assert (ledger.pending, run.journal.head("r1"), hears.numbers) == (0, 4, [])
    ledger.tell()
    assert hears.numbers == [3, 4]
    ledger.commit()
    ledger.tell()
    assert hears.numbers == [3, 4]
    assert run.journal.head("r1") == 4
    assert read_state(run.journal, "r1").tasks == ledger.state.tasks


def test_what_is_decided_follows_what_was_emitted(ledger: Ledger) -> None:
    assert decide(ledger.progress, ledger.now) == [Start(TaskKey("a"))]
    ledger.emit(skip("a"))
    assert decide(ledger.progress, ledger.now) == [Start(TaskKey("b"))]


def test_many_events_at_once_lead_to_the_same_place(run: Any, ledger: Ledger) -> None:
    ledger.emit_all([skip("a"), CANCEL])
    ledger.commit()
    assert ledger.state.record.cancel_requested
    fresh = Progress(run.plan, read_state(run.journal, "r1"))
    assert decide(ledger.progress, 0.0) == decide(fresh, 0.0)


def test_what_others_append_is_taken_in_at_the_next_turn(run: Any, ledger: Ledger, hears: Hears) -> None:
    foreign(run, CANCEL)
    assert not ledger.state.record.cancel_requested
    ledger.begin_turn()
    assert ledger.state.record.cancel_requested
    assert hears.numbers == [3]
    ledger.begin_turn()
    assert hears.numbers == [3]
    ledger.emit(skip("a"))
    ledger.commit()
    ledger.tell()
    assert hears.numbers == [3, 4]


def test_a_commit_that_is_refused_leaves_nothing_behind(run: Any, ledger: Ledger, hears: Hears) -> None:
    held = ledger.state
    ledger.begin_turn()
    ledger.emit(skip("a"))
    foreign(run, CANCEL)
    with pytest.raises(SequenceConflict):
        ledger.commit()
    ledger.reload()
    assert (ledger.pending, ledger.state.tasks, ledger.state is held) == (0, {}, True)
    assert ledger.state.record.cancel_requested
    assert decide(ledger.progress, ledger.now) == decide(Progress(run.plan, read_state(run.journal, "r1")), ledger.now)
    assert hears.numbers == [3]
    ledger.emit(skip("a"))
    ledger.commit()
    ledger.tell()
    assert hears.numbers == [3, 4]


def test_an_observer_is_told_of_a_refusal_without_new_events_nothing(ledger: Ledger, hears: Hears) -> None:
    ledger.emit(skip("a"))
    ledger.reload()
    assert (hears.told, ledger.state.tasks) == ([], {})


def test_time_never_goes_back(run: Any, ledger: Ledger) -> None:
    begin = run.clock.time
    run.clock.time = begin - 30
    ledger.begin_turn()
    ledger.emit(skip("a"))
    ledger.commit()
    assert (ledger.now, ledger.pending) == (begin, 0)
    assert run.journal.events("r1")[-1].at == begin


@pytest.mark.fault(26)
def test_time_goes_on_behind_a_clock_that_was_set_back(run: Any, ledger: Ledger) -> None:
    """A retry that is due in a second comes in a second, not in ten days."""
    begin = run.clock.time
    run.clock.time = begin - 10 * 86_400
    for _ in range(3):
        run.clock.passed += 1
        ledger.begin_turn()
        ledger.commit()
    assert ledger.now == begin + 3


def test_time_that_the_machine_slept_counts(run: Any, ledger: Ledger) -> None:
    run.clock.time += 3600
    run.clock.passed += 1
    ledger.begin_turn()
    assert ledger.now == run.clock.time


def test_a_new_ledger_goes_on_from_the_latest_time_that_was_seen(run: Any, hears: Any) -> None:
    latest = run.clock.time
    run.clock.time = latest - 10
    assert Ledger(run.journal, run.state, run.plan, run.clock, hears).now == latest


@pytest.mark.fault(26)
def test_a_new_ledger_goes_on_from_what_has_passed_since(run: Any, hears: Any) -> None:
    run.clock.known = run.clock.time + 50
    run.clock.time -= 10 * 86_400
    assert Ledger(run.journal, run.state, run.plan, run.clock, hears).now == run.clock.known


def test_a_jump_of_the_clock_is_recorded_once(run: Any, ledger: Ledger) -> None:
    def turns() -> list[tuple[float, float]]:
        for _ in range(3):
            ledger.begin_turn()
            ledger.commit()
        jumps = [stamped.event for stamped in run.journal.events("r1", types=["clock_jumped"])]
        return [(jump.expected, jump.found) for jump in jumps if isinstance(jump, ev.ClockJumped)]

    begin = run.clock.time
    run.clock.time = begin - 3600
    assert turns() == [(begin, begin - 3600)]
    run.clock.time += 5
    assert turns() == [(begin, begin - 3600)]
    run.clock.time -= 100
    assert turns() == [(begin, begin - 3600), (begin, begin - 3695)]
    assert ledger.now == begin


def test_a_clock_that_goes_back_step_by_step_is_noticed(run: Any, ledger: Ledger) -> None:
    for _ in range(3):
        run.clock.time -= 40
        ledger.begin_turn()
        ledger.commit()
    assert len(run.journal.events("r1", types=["clock_jumped"])) == 1


@pytest.mark.fault(26)
def test_a_clock_that_is_set_forward_is_recorded_once_also_if_others_write_meanwhile(run: Any, ledger: Ledger) -> None:
    begin = run.clock.time
    run.clock.passed += 10
    run.clock.known = begin + 10
    run.clock.time = begin + 400 * 86_400
    ledger.begin_turn()
    foreign(run, CANCEL)
    with pytest.raises(SequenceConflict):
        ledger.commit()
    run.clock.known = run.clock.time  # by now it has been seen
    ledger.reload()
    for _ in range(3):
        ledger.begin_turn()
        ledger.commit()
    (jump,) = [stamped.event for stamped in run.journal.events("r1", types=["clock_jumped"])]
    assert (jump.expected, jump.found) == (begin + 10, run.clock.time)
    assert ledger.now == run.clock.time


@pytest.mark.fault(26)
def test_a_clock_that_was_set_forward_between_two_sessions_is_recorded(run: Any, hears: Any) -> None:
    run.clock.known = run.clock.time + 50
    run.clock.time += 3600
    later = Ledger(run.journal, run.state, run.plan, run.clock, hears)
    later.begin_turn()
    later.commit()
    (jump,) = [stamped.event for stamped in run.journal.events("r1", types=["clock_jumped"])]
    assert (jump.expected, jump.found) == (run.clock.known, run.clock.time)


@pytest.mark.parametrize("known", [0.0, 3590.0])
def test_time_that_passed_unseen_is_no_jump(run: Any, ledger: Ledger, known: float) -> None:
    """The machine slept, or it was restarted: then nobody has counted."""
    run.clock.known = run.clock.time + known if known else 0.0
    run.clock.time += 3600
    ledger.begin_turn()
    ledger.commit()
    assert not run.journal.events("r1", types=["clock_jumped"])


def test_a_jump_that_could_not_be_committed_is_recorded_by_the_next_try(run: Any, ledger: Ledger) -> None:
    run.clock.time -= 3600
    ledger.begin_turn()
    foreign(run, CANCEL)
    with pytest.raises(SequenceConflict):
        ledger.commit()
    ledger.reload()
    ledger.begin_turn()
    ledger.commit()
    assert len(run.journal.events("r1", types=["clock_jumped"])) == 1


def test_why_a_run_is_to_be_stopped_is_what_was_said_last(run: Any, ledger: Ledger) -> None:
    assert ledger.cancel_reason() == ""
    foreign(run, CANCEL)
    foreign(run, ev.RunParked(status="in_doubt", reason="in doubt: a"))
    ledger.begin_turn()
    assert ledger.cancel_reason() == "enough"
    ledger.emit(ev.CancelRequested(reason="really", by={}))
    assert ledger.cancel_reason() == "really"


# -- what is only kept in mind ----------------------------------------------------------------------------------

A = TaskKey("a")


@pytest.fixture
def polling(ledger: Ledger) -> Ledger:
    """A run in which `a` polls, and was asked once."""
    ledger.begin_turn()
    ledger.emit(ev.TaskWaiting(step="a", kind="poll", until=None, every=5.0))
    ledger.emit(ev.ProbeStarted(step="a", purpose="poll", folder=1, nonce="n", session=1))
    ledger.emit(answered(1))
    ledger.commit()
    return ledger


def asked(nonce: str) -> ev.ProbeStarted:
    return ev.ProbeStarted(step="a", purpose="poll", folder=1, nonce=nonce, session=1)


def answered(times: int) -> ev.ProbeAnswered:
    return ev.ProbeAnswered(step="a", purpose="poll", answer="not_done", times=times, reason=f"no {times}")


def test_what_is_kept_in_mind_counts_and_is_in_no_journal(run: Any, polling: Ledger) -> None:
    head = run.journal.head("r1")
    for times in (2, 3):
        polling.begin_turn()
        polling.keep_in_mind(asked(f"n{times}"))
        assert polling.progress.busy == 1
        polling.commit()
        polling.begin_turn()
        polling.keep_in_mind(answered(times))
        polling.commit()
    assert (polling.state.tasks[A].waiting.times, polling.progress.busy) == (3, 0)
    assert (run.journal.head("r1"), run.journal.tasks("r1")[A].waiting.times) == (head, 1)
    assert polling.kept_in_mind() == [A]


def test_what_is_recorded_later_makes_state_and_journal_one_again(run: Any, polling: Ledger) -> None:
    polling.keep_in_mind(asked("n2"))
    polling.keep_in_mind(answered(2))
    polling.emit(answered(2))
    assert polling.kept_in_mind() == []
    polling.commit()
    assert read_state(run.journal, "r1").tasks == polling.state.tasks


def test_a_refused_commit_loses_nothing_that_was_in_mind_before_and_all_of_its_turn(run: Any, polling: Ledger) -> None:
    polling.keep_in_mind(asked("n2"))
    polling.commit()
    before = polling.state.tasks[A]
    polling.begin_turn()
    foreign(run, CANCEL)
    polling.keep_in_mind(answered(2))
    polling.emit(answered(2))
    with pytest.raises(SequenceConflict):
        polling.commit()
    polling.reload()
    assert polling.state.tasks[A] == before
    assert (before.probe.nonce, before.waiting.times, polling.kept_in_mind()) == ("n2", 1, [A])


def test_what_ends_a_wait_ends_what_was_in_mind(run: Any, polling: Ledger) -> None:
    polling.keep_in_mind(asked("n2"))
    polling.commit()
    polling.emit(ev.TaskSucceeded(step="a", how="ran"))
    polling.commit()
    assert polling.kept_in_mind() == []
    assert read_state(run.journal, "r1").tasks == polling.state.tasks
