"""What every engine promises of runs that are given up, or go on under a changed runbook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract.engines.books import ABC, chain
from durun.errors import Changed, NoSuchRun, NotAllowed
from durun.model import event as ev

if TYPE_CHECKING:
    from contract.engines.rig import Rig


# -- cancelling ------------------------------------------------------------------------------------------------


def test_cancel_of_a_run_that_nobody_drives(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC + "finally:\n  - {id: clean, run: [ACT, run]}\n"))
    assert rig.journal.record(rig.run).status == "running"
    outcome = rig.cancel()
    assert (outcome.status, outcome.exit_code, outcome.driver) == ("cancelled", 12, "self")
    assert rig.world.calls() == ["a.run", "clean.run"]
    assert rig.journal.record(rig.run).reason == "enough"


def test_cancel_of_a_run_that_is_in_doubt_ends_with_the_last_settle(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.start(ABC)
    outcome = rig.cancel()
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.journal.record(rig.run).cancel_requested
    outcome = rig.settle("a", "not_done")
    assert (outcome.status, outcome.exit_code) == ("cancelled", 12)
    assert rig.world.calls() == ["a.run"]
    assert rig.journal.record(rig.run).reason == "enough"


def test_cancel_of_a_failed_run_gives_it_up(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    assert rig.cancel().status == "cancelled"
    assert rig.world.calls() == ["a.run", "b.run"]
    assert rig.journal.record(rig.run).reason == "enough"
    with pytest.raises(NotAllowed):
        rig.resume()


def test_a_cancel_that_meets_a_run_which_has_just_failed_gives_it_up(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC + 'finally:\n  - {id: clean, run: [ACT, run, "${{ run.status }}"]}\n')
    record = rig.journal.record

    def a_moment_ago(run: str) -> Any:
        del rig.journal.record
        return record(run)._replace(status="running")

    rig.journal.record = a_moment_ago  # type: ignore[method-assign]
    assert rig.cancel().status == "cancelled"
    found = rig.journal.record(rig.run)
    assert (found.status, found.cancel_requested, found.reason) == ("cancelled", True, "enough")
    assert rig.world.calls() == ["a.run", "b.run", "clean.run failed", "clean.run cancelled"]


def test_a_cancel_that_somebody_else_carries_out_first_is_done(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC))

    def somebody_else(events: Any) -> None:
        rig.journal.after = lambda events: None
        assert rig.another().resume().status == "cancelled"

    rig.journal.after = somebody_else
    outcome = rig.cancel()
    assert (outcome.status, outcome.driver) == ("cancelled", "self")
    assert rig.world.calls() == ["a.run"]
    assert rig.events().count("run_ended") == 1


def test_a_cancel_is_refused_once_finally_has_begun(rig: Rig) -> None:
    refused = []

    def cancel(events: Any) -> None:
        if any(isinstance(event, ev.FinallyStarted) for event in events):
            with pytest.raises(NotAllowed) as found:
                rig.another().cancel()
            refused.append(found.value.message)

    rig.journal.after = cancel
    assert rig.start(chain("a") + "finally:\n  - {id: clean, run: [ACT, run]}\n").status == "succeeded"
    assert refused == [f"the steps of run {rig.run} are over, and its `finally` has begun"]
    assert rig.world.calls() == ["a.run", "clean.run"]
    assert not rig.journal.record(rig.run).cancel_requested


@pytest.mark.fault(13)
@pytest.mark.parametrize("verb", ["resume", "cancel"])
@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_what_has_ended_for_good_stays_so(rig: Rig, does: Any, verb: str, end: str) -> None:
    rig.world.will("b.run", does(1 if end == "cancelled" else 0))
    rig.start(ABC)
    if end == "cancelled":
        rig.cancel()
    head = rig.journal.head(rig.run)
    with pytest.raises(NotAllowed) as refused:
        getattr(rig, verb)()
    assert refused.value.message == f"run {rig.run} has ended: {end}"
    assert f"nothing to {verb}" in refused.value.hint
    assert rig.journal.head(rig.run) == head


@pytest.mark.parametrize(
    ("idempotent", "standing", "status"), [(True, "cancelled", "cancelled"), (False, "in_doubt", "in_doubt")]
)
def test_cancel_by_another_process_stops_what_runs(
    rig: Rig, does: Any, idempotent: bool, standing: str, status: str
) -> None:
    rig.world.will("a.run", does(waits=True))
    asked = []

    def cancel_once() -> None:
        if rig.world.calls() and not asked:
            asked.append(rig.another().cancel())

    rig.witness.at_tick = cancel_once
    outcome = rig.start(
        f"steps:\n  - {{id: a, run: [ACT, run], idempotent: {str(idempotent).lower()}, on_in_doubt: ask}}"
    )
    assert [(other.driver, other.status) for other in asked] == [("other", "running")]
    assert (outcome.status, rig.task("a").status) == (status, standing)
    assert rig.world.calls() == ["a.run"]


@pytest.mark.parametrize("verb", ["resume", "cancel", "settle"])
def test_no_verb_finds_a_run_that_is_not_there(rig: Rig, verb: str) -> None:
    rig.start(ABC)
    rig.run = "nowhere"
    with pytest.raises(NoSuchRun):
        getattr(rig, verb)(*(["a", "done"] if verb == "settle" else []))


# -- a changed runbook -----------------------------------------------------------------------------------------


def test_a_run_goes_on_under_a_changed_runbook(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    changed = ABC.replace("{id: b, run: [ACT, run]}", "{id: b, run: [ACT, other]}") + chain("d").removeprefix(
        "steps:\n"
    )
    assert rig.resume(change=changed).status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "b.other", "c.run", "d.run"]
    first, second = rig.task("b").attempts
    assert first.key != second.key
    assert rig.event("runbook_changed")["changes"] == rig.witness.notices
    assert any(line.startswith("+ d") for line in rig.witness.notices)
    assert rig.journal.record(rig.run).total == 4


def test_the_changed_runbook_is_the_runs_own_from_then_on(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.world.will("b.other", does(1), does())
    rig.start(ABC)
    rig.world.will("a.run", does())
    rig.resume(change=ABC.replace("{id: b, run: [ACT, run]}", "{id: b, run: [ACT, other]}"))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[-3:] == ["b.other", "b.other", "c.run"]


@pytest.mark.parametrize(
    "change", [chain("b", "c"), chain("z", "b", "c"), ABC.replace("id: a,", "id: a, targets: [x],")]
)
def test_a_step_that_is_done_can_not_be_removed_renamed_or_rekeyed(rig: Rig, does: Any, change: str) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    head = rig.journal.head(rig.run)
    with pytest.raises(Changed) as refused:
        rig.resume(change=change)
    assert "step a is done or in doubt" in refused.value.message
    assert rig.journal.head(rig.run) == head
    assert rig.resume(change=chain("a", "c")).status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]


def test_one_key_never_carries_two_requests(rig: Rig, does: Any) -> None:
    book = "env: {A: one}\nsteps:\n  - {id: a, run: [ACT, run], idempotent: true, on_in_doubt: ask}\n"
    rig.world.will("a.run", does(76), does())
    assert rig.start(book).status == "in_doubt"
    head = rig.journal.head(rig.run)
    again = book.replace("on_in_doubt: ask", "on_in_doubt: rerun")
    rig.crash(lambda: rig.resume(change=again.replace("one", "two")), Changed)
    assert rig.journal.head(rig.run) == head
    assert rig.resume(change=again).status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.run"]
