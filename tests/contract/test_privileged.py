"""Privileges, in every engine: whatever becomes of a run, what a step grants is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.model import event as ev

from .privileges import book, closed, keys

if TYPE_CHECKING:
    from contract.engines.rig import Rig


def test_it_is_closed_when_the_step_has_ended_for_which_it_was_granted(rig: Rig) -> None:
    outcome = rig.start(book().replace("id: after, run", "id: after, needs: [work], run"))
    assert outcome.status == "succeeded"
    assert sorted(rig.world.calls()) == ["after.run", "between.run", "open.run", "open@rollback.close", "work.run"]
    assert rig.world.calls().index("open@rollback.close") > rig.world.calls().index("work.run")
    assert rig.event("task_due")["reason"] == "work has ended"
    assert rig.statuses()["open"] == "rolled_back"
    assert outcome.state is not None and outcome.state.record.pending == 0
    assert closed(rig)


@pytest.mark.parametrize("failing", ["between", "work"])
def test_it_is_closed_when_the_run_fails_and_granted_anew_with_another_key(rig: Rig, does: Any, failing: str) -> None:
    rig.world.will(f"{failing}.run", does(1), does(0))
    assert rig.start(book()).status == "failed"
    first = ["open.run", "between.run", *(["work.run"] if failing == "work" else []), "open@rollback.close"]
    assert rig.world.calls() == first
    assert closed(rig)
    assert rig.resume().status == "succeeded"
    again = ["open.run", "work.run"] if failing == "work" else ["open.run", "between.run", "work.run"]
    rest = rig.world.calls()[len(first) :]
    assert [call for call in rest if call not in ("after.run", "open@rollback.close")] == again
    assert rest.count("open@rollback.close") == 1
    assert len(set(keys(rig, "open"))) == len(set(keys(rig, "open@rollback"))) == 2
    assert closed(rig)


def test_it_is_closed_when_the_step_that_grants_it_fails(rig: Rig, does: Any) -> None:
    rig.world.will("open.run", does(1))
    assert rig.start(book()).status == "failed"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)


def test_it_is_closed_when_the_run_is_cancelled(rig: Rig, does: Any) -> None:
    asked: list[bool] = []

    def cancel(events: Any) -> None:
        if not asked and any(isinstance(event, ev.TaskSucceeded) and event.step == "open" for event in events):
            asked.append(True)
            rig.another().cancel()

    rig.journal.after = cancel
    outcome = rig.start(book(between="{id: between, idempotent: true, run: [ACT, run]}"))
    assert (outcome.status, outcome.exit_code) == ("cancelled", 12)
    assert rig.world.calls()[-1] == "open@rollback.close"
    assert "work.run" not in rig.world.calls()
    assert closed(rig)


def test_it_is_closed_with_the_rest_when_the_run_is_rolled_back(rig: Rig, does: Any) -> None:
    rig.world.will("between.run", does(1))
    outcome = rig.start("on_failure: rollback\n" + book())
    assert outcome.status == "rolled_back"
    assert rig.world.calls() == ["open.run", "between.run", "open@rollback.close"]
    assert closed(rig)


def test_one_that_can_not_be_closed_makes_the_run_failed_and_a_resume_tries_it_again(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(1), does(0))
    text = book().replace("  - {id: after, run: [ACT, run]}\n", "")
    outcome = rig.start(text)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert not closed(rig)
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["open.run", "between.run", "work.run", "open@rollback.close", "open@rollback.close"]
    assert closed(rig)


@pytest.mark.parametrize(
    "beside",
    ["wait_for: {run: [ACT, ask], every: 1h}", "wait: 1h", "approval: {message: go?, approvers: [ada]}"],
)
@pytest.mark.parametrize("park", [False, True])
def test_one_that_can_not_be_closed_is_a_failure_beside_which_nobody_waits(
    rig: Rig, does: Any, beside: str, park: bool
) -> None:
    rig.world.will("open@rollback.close", does(1), does(0))
    rig.world.will("beside.ask", does(1))
    text = book().replace("  - {id: after, run: [ACT, run]}\n", f"  - {{id: beside, needs: [], {beside}}}\n")
    outcome = rig.start(text, park=park)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert rig.statuses()["beside"] == "waiting"
    assert rig.resume(park=True).status == "waiting"
    assert closed(rig)


@pytest.mark.parametrize("hours", [2, 9], ids=["it alone is due", "the step before the next is over too"])
def test_when_its_time_is_over_the_run_does_not_go_on_without_it(rig: Rig, hours: int) -> None:
    rig.witness.at_event = lambda event: rig.pass_time(hours) if ev.type_of(event) == "task_waiting" else None
    outcome = rig.start(book("1h", "{id: between, wait: 5h}"))
    assert outcome.status == "failed"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert rig.event("task_due")["reason"] == "its time is over"
    assert rig.event("run_ended")["reason"] == "the privilege of open ended before work was done"
    assert rig.event("task_rolled_back")["early"]
    assert closed(rig)
