"""What every engine promises when it dies, and when others write into the same journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from contract.engines.books import ABC, FAN, verified
from durun.errors import Busy, StorageFailed
from durun.model import event as ev
from durun.model.task import TaskKey

if TYPE_CHECKING:
    from contract.engines.rig import Rig


# -- one driver, many voices -----------------------------------------------------------------------------------


@pytest.mark.fault(12)
def test_two_engines_can_not_drive_one_run(rig: Rig) -> None:
    refused = []

    def resume_too(event: ev.Event) -> None:
        if isinstance(event, ev.TaskStarted) and event.step == "b":
            with pytest.raises(Busy):
                rig.another().resume()
            refused.append(event)

    rig.witness.at_event = resume_too
    assert rig.start(ABC).status == "succeeded"
    assert len(refused) == 1
    assert rig.journal.record(rig.run).sessions == 1


def meddle(rig: Rig, kind: str, step: str, foreign: Callable[[], ev.Event]) -> None:
    """Somebody else appends an event just before the first such event is committed."""

    def before(events: Any) -> None:
        if any(ev.type_of(event) == kind and event.step == step for event in events if isinstance(event, ev.TaskEvent)):
            rig.journal.before = lambda events: None
            run = rig.journal.find("@last")
            rig.another().journal.append(run, rig.journal.head(run), [foreign()], rig.journal.record(run).created_at)

    rig.journal.before = before


def test_a_cancel_between_decision_and_commit_starts_nothing_more(rig: Rig) -> None:
    meddle(rig, "task_started", "b", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    outcome = rig.start(ABC)
    assert outcome.status == "cancelled"
    assert rig.world.calls() == ["a.run"]
    assert rig.task("a").status == "succeeded"
    assert TaskKey("b") not in rig.journal.tasks(rig.run)


def test_a_settle_between_decision_and_commit_is_the_last_word(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does())
    word = ev.TaskSettled(step="a", resolution="not_done", reason="looked", by={"uid": 7})
    rig.start("steps:\n  - {id: a, run: [ACT, run]}\n  - {id: b, needs: [], run: [ACT, run]}")
    assert rig.statuses()["a"] == "in_doubt"
    meddled: list[bool] = []

    def before(events: Any) -> None:
        if not meddled:
            meddled.append(True)
            rig.another().journal.append(rig.run, rig.journal.head(rig.run), [word], rig.task("a").changed_at)

    rig.journal.before = before
    assert rig.resume().status == "succeeded"
    assert rig.world.calls().count("a.run") == 2


def test_a_foreign_event_beside_an_outcome_loses_neither(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "1"}))
    meddle(rig, "task_succeeded", "a", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    assert rig.start(verified()).status == "cancelled"
    assert (rig.task("a").status, rig.task("a").outputs) == ("succeeded", {"x": "1"})
    assert rig.world.calls() == ["a.run"]


def test_an_observer_hears_what_others_say_in_its_place(rig: Rig) -> None:
    meddle(rig, "task_started", "b", lambda: ev.ClockJumped(expected=2.0, found=1.0))
    rig.start(ABC)
    heard = [ev.type_of(stamped.event) for stamped in rig.witness.told]
    assert heard.count("clock_jumped") == 1
    assert heard == rig.events()[1:]


# -- crashes ---------------------------------------------------------------------------------------------------


@pytest.mark.fault(2)
def test_an_intent_that_was_never_carried_out_is_free(rig: Rig) -> None:
    rig.crash_at("task_started", "b", committed=True)
    rig.crash(lambda: rig.start(ABC))
    assert rig.task("b").status == "running"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert [attempt.status for attempt in rig.task("b").attempts] == ["never_began", "succeeded"]
    assert (rig.task("b").fences, rig.task("b").failures) == (1, 0)


@pytest.mark.fault(1)
def test_a_start_that_is_not_recorded_did_not_happen(rig: Rig) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert len(rig.task("b").attempts) == 1


@pytest.mark.fault(3, 4, 7)
@pytest.mark.parametrize(("end", "status"), [(0, "succeeded"), (7, "failed"), (76, "in_doubt")])
def test_a_step_that_outlived_its_engine_is_adopted(rig: Rig, does: Any, crash: Any, end: int, status: str) -> None:
    rig.world.will("a.run", does(end, waits=True, outputs={"x": "1"}))
    book = "steps:\n  - {id: a, run: [ACT, run], outputs: {x: {}}}"
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(book))
    rig.world.let_go()
    assert rig.resume(fresh=False).status == status
    assert (rig.task("a").status, rig.task("a").how) == (status, "adopted")
    assert rig.task("a").outputs == ({"x": "1"} if status == "succeeded" else {})
    assert rig.world.calls() == ["a.run"]


def test_a_step_that_still_runs_is_waited_for(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True))
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    let_go = []

    def at_tick() -> None:
        if not let_go:
            assert rig.task("a").status == "running"
            let_go.append(rig.world.let_go())

    rig.witness.at_tick = at_tick
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert rig.task("a").how == "adopted"


def test_a_foreign_event_beside_an_adopted_outcome_loses_neither(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True))
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    let_go = []
    rig.witness.at_tick = lambda: let_go or let_go.append(rig.world.let_go())
    meddle(rig, "task_succeeded", "a", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    assert rig.resume().status == "cancelled"
    assert (rig.task("a").status, rig.task("a").how) == ("succeeded", "adopted")
    assert rig.world.calls() == ["a.run"]


def test_a_stop_is_not_lost_with_a_commit_that_is_refused(rig: Rig, does: Any) -> None:
    """The turn that stops `a` also records the end of `b`, and somebody else is faster once more."""
    rig.world.will("a.run", does(waits=True))
    left = [1, 2]

    def before(events: Any) -> None:
        if left and any(isinstance(event, ev.TaskSucceeded) and event.step == "b" for event in events):
            wish = ev.CancelRequested(reason=f"stop {left.pop()}", by={"uid": 7})
            run = rig.journal.find("@last")
            rig.another().journal.append(run, rig.journal.head(run), [wish], rig.journal.record(run).created_at)

    rig.journal.before = before
    steps = "".join(f"  - {{id: {name}, needs: [], run: [ACT, run], idempotent: true}}\n" for name in "ab")
    assert rig.start(f"steps:\n{steps}").status == "cancelled"
    assert not left
    assert {"a": "cancelled", "b": "succeeded"}.items() <= rig.statuses().items()


@pytest.mark.fault(9)
def test_what_nobody_can_tell_about_is_in_doubt(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True), does())
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    rig.world.lose()
    outcome = rig.resume()
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.resume().status == "in_doubt"
    assert rig.world.calls() == ["a.run"]
    rig.settle("a", "not_done")
    assert rig.resume().status == "succeeded"


def test_a_question_that_was_lost_is_asked_anew(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.world.will("a.verify", does(outputs={"x": "1"}))
    rig.crash_at("probe_answered", "a", committed=False)
    rig.crash(lambda: rig.start(verified()))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "a.verify", "b.run 1"]


def crash_when_begun(rig: Rig, crash: type[BaseException]) -> None:
    def at_tick() -> None:
        if rig.world.calls():
            raise crash

    rig.witness.at_tick = at_tick


@pytest.mark.fault(45)
def test_a_crash_does_not_renew_the_limit_of_failures(rig: Rig, does: Any) -> None:
    rig.world.will("fan.t1.run", does(1))
    rig.world.will("fan.t2.run", does(1))
    rig.crash_at("task_started", target="t2", committed=False)
    rig.crash(lambda: rig.start(FAN))
    assert rig.resume().status == "failed"
    assert rig.world.calls() == ["fan.t1.run", "fan.t2.run"]


@pytest.mark.fault(45)
def test_a_crash_does_not_renew_the_budget_of_attempts(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.crash_at("task_retried", committed=False)
    rig.crash(lambda: rig.start("steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 2, delay: 0s}}"))
    assert rig.resume().status == "failed"
    assert rig.world.calls() == ["a.run", "a.run"]


@pytest.mark.fault(21)
def test_a_journal_that_refuses_stops_the_run_before_the_next_effect(rig: Rig) -> None:
    def full(events: Any) -> None:
        if any(isinstance(event, ev.TaskStarted) and event.step == "b" for event in events):
            raise StorageFailed("the disk is full", "make room")

    rig.journal.before = full
    rig.crash(lambda: rig.start(ABC), StorageFailed)
    assert rig.world.calls() == ["a.run"]
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
