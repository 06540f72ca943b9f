"""Rolling back, in every engine: what is undone, in which order, and what becomes of it when things go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import NotAllowed
from durun.model import event as ev

if TYPE_CHECKING:
    from contract.engines.rig import Rig


AUTOMATIC = "on_failure: rollback\n"
LAST = "finally:\n  - {id: last, run: [ACT, run]}\n"


def undone(*steps: str, more: str = "") -> str:
    """Steps of these names, one after the other, each with a rollback."""
    lines = (f"  - {{id: {step}, run: [ACT, run], rollback: {{run: [ACT, undo]{more}}}}}\n" for step in steps)
    return "steps:\n" + "".join(lines)


ABC = undone("a", "b", "c")


def test_a_failure_undoes_what_was_done_newest_first(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(7))
    outcome = rig.start(AUTOMATIC + ABC + LAST)
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert rig.world.calls() == ["a.run", "b.run", "c.run", "b@rollback.undo", "a@rollback.undo", "last.run"]
    assert rig.statuses() == {
        "a": "rolled_back", "a@rollback": "succeeded", "b": "rolled_back", "b@rollback": "succeeded",
        "c": "failed", "last": "succeeded",
    }  # fmt: skip
    assert rig.event("run_ended")["standing"] == []
    for verb in (rig.resume, rig.rollback, rig.cancel):
        with pytest.raises(NotAllowed):
            verb()


def test_without_on_failure_a_failed_run_stands_until_somebody_asks(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(7))
    assert rig.start(ABC + LAST).status == "failed"
    outcome = rig.rollback()
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 0)
    assert rig.world.calls()[3:] == ["last.run", "b@rollback.undo", "a@rollback.undo", "last.run"]
    assert rig.event("rollback_requested")["reason"] == "undo it"


@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_what_has_ended_for_good_can_be_undone(rig: Rig, does: Any, end: str) -> None:
    rig.world.will("c.run", does(1 if end == "cancelled" else 0))
    rig.start(ABC)
    if end == "cancelled":
        rig.cancel()
    assert rig.journal.record(rig.run).status == end
    outcome = rig.rollback()
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 0)
    expected = ["c@rollback.undo", "b@rollback.undo", "a@rollback.undo"]
    assert rig.world.calls()[3:] == expected[1 if end == "cancelled" else 0 :]


def test_a_step_without_a_rollback_still_stands(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(7))
    text = ABC.replace("id: a, run: [ACT, run], rollback: {run: [ACT, undo]}", "id: a, run: [ACT, run]")
    text = text.replace("steps:\n", "steps:\n  - {id: made, generate: {uuid: {}}}\n")
    outcome = rig.start(AUTOMATIC + text)
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert rig.event("run_ended")["standing"] == [["a", None]]
    assert [str(key) for key in outcome.state.standing] == ["a"]  # type: ignore[union-attr]


@pytest.mark.fault(19)
def test_a_rollback_that_fails_does_not_stop_the_others_and_a_resume_retries_only_what_stands(
    rig: Rig, does: Any
) -> None:
    rig.world.will("c.run", does(7))
    rig.world.will("b@rollback.undo", does(1), does(0))
    outcome = rig.start(AUTOMATIC + ABC + LAST)
    assert (outcome.status, outcome.exit_code) == ("rollback_failed", 1)
    assert rig.event("run_ended")["standing"] == [["b", None]]
    assert rig.world.calls()[3:] == ["b@rollback.undo", "a@rollback.undo", "last.run"]
    outcome = rig.resume()
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert rig.world.calls()[6:] == ["b@rollback.undo", "last.run"]


def test_a_step_that_failed_half_way_stands_if_its_rollback_fails(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.world.will("a@rollback.undo", does(1))
    assert rig.start(AUTOMATIC + undone("a", more=", when: [succeeded, failed]")).status == "rollback_failed"
    assert rig.event("run_ended")["standing"] == [["a", None]]


def test_a_rollback_that_failed_can_be_given_up(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(7))
    rig.world.will("b@rollback.undo", does(1), does(0))
    rig.start(AUTOMATIC + ABC)
    assert rig.cancel().status == "cancelled"
    assert rig.event("run_ended")["standing"] == [["b", None]]
    outcome = rig.rollback()
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 0)
    assert rig.world.calls()[5:] == ["b@rollback.undo"]


@pytest.mark.fault(20)
@pytest.mark.parametrize("resolution", ["done", "not_done", "failed"])
def test_a_doubt_comes_before_the_rollback(rig: Rig, does: Any, resolution: str) -> None:
    rig.world.will("b.run", does(76), does(1))
    rig.world.will("c.run", does(1))
    outcome = rig.start(AUTOMATIC + ABC)
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.rollback().status == "in_doubt"
    assert rig.world.calls() == ["a.run", "b.run"]
    rig.settle("b", resolution)
    outcome = rig.resume(fresh=False)
    assert outcome.status == "rolled_back"
    undo = ["b@rollback.undo", "a@rollback.undo"]
    assert rig.world.calls() == ["a.run", "b.run", *undo[0 if resolution == "done" else 1 :]]
    assert rig.event("run_ended")["standing"] == []


def test_a_rollback_that_works_either_way_does_not_wait_for_a_settle(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(76))
    outcome = rig.start(AUTOMATIC + undone("a", "b", more=", when: [succeeded, in_doubt]"))
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert rig.world.calls() == ["a.run", "b.run", "b@rollback.undo", "a@rollback.undo"]
    assert rig.statuses()["b"] == "rolled_back"


@pytest.mark.parametrize(
    ("when", "calls"),
    [
        ("[succeeded]", ["b@rollback.undo"]),
        ("[succeeded, failed]", ["c@rollback.undo", "b@rollback.undo"]),
        ("[found]", ["a@rollback.undo"]),
        ("[succeeded, failed, found]", ["c@rollback.undo", "b@rollback.undo", "a@rollback.undo"]),
    ],
)
def test_when_says_what_is_undone(rig: Rig, does: Any, when: str, calls: list[str]) -> None:
    rig.world.will("c.run", does(1))
    text = undone("a", "b", "c", more=f", when: {when}")
    text = text.replace("id: a, ", "id: a, verify: {run: [ACT, ask], before: true}, ")
    assert rig.start(AUTOMATIC + text).status == "rolled_back"
    assert rig.world.calls() == ["a.ask", "b.run", "c.run", *calls]


def test_a_rollback_in_doubt_parks_once_the_others_are_done(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(1))
    rig.world.will("b@rollback.undo", does(76))
    outcome = rig.start(AUTOMATIC + ABC + LAST)
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.world.calls()[3:] == ["b@rollback.undo", "a@rollback.undo"]
    with pytest.raises(NotAllowed):
        rig.settle("b", "done")
    rig.settle("b@rollback", "done")
    outcome = rig.resume(fresh=False)
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert rig.world.calls()[5:] == ["last.run"]
    assert rig.statuses()["b"] == "rolled_back"


def test_a_rollback_has_a_retry_and_a_verify_of_its_own(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.world.will("a@rollback.undo", does(1), does(76))
    more = ", retry: {max_attempts: 2, delay: 0s}, verify: {run: [ACT, gone], not_done_on: [4]}"
    outcome = rig.start(AUTOMATIC + undone("a", "b", more=more))
    assert outcome.status == "rolled_back"
    assert rig.world.calls()[2:] == ["a@rollback.undo", "a@rollback.undo", "a@rollback.gone"]
    assert rig.task("a@rollback").how == "verified"


def test_the_targets_of_a_fan_out_are_undone_beside_each_other_each_newest_first(rig: Rig, does: Any) -> None:
    rig.world.will("after.run", does(1))
    text = """
steps:
  - id: fan
    targets: [x, y]
    steps:
      - {id: one, run: [ACT, run], rollback: {run: [ACT, undo]}}
      - {id: two, run: [ACT, run], rollback: {run: [ACT, undo]}}
  - {id: after, run: [ACT, run]}
"""
    rig.world.will("two@rollback.y.undo", does(1))
    assert rig.start(AUTOMATIC + text).status == "rollback_failed"
    undo = ["two@rollback.y.undo", "one@rollback.y.undo", "two@rollback.x.undo", "one@rollback.x.undo"]
    assert rig.world.calls()[5:] == undo
    assert rig.event("run_ended")["standing"] == [["two", "y"]]


def test_expressions_of_a_rollback_read_its_step_and_what_came_before(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"id": "7"}))
    rig.world.will("b.run", does(outputs={"id": "8"}))
    rig.world.will("c.run", does(1))
    a, b = "${{ steps.a.outputs.id }}", "${{ steps.b.outputs.id }}"
    text = "".join(
        f"  - {{id: {name}, run: [ACT, run], outputs: {{id: {{}}}}, rollback: {{run: [ACT, undo, '{words}']}}}}\n"
        for name, words in [("a", a), ("b", a + b)]
    )
    assert rig.start(AUTOMATIC + "steps:\n" + text + "  - {id: c, run: [ACT, run]}\n").status == "rolled_back"
    assert rig.world.calls()[3:] == ["b@rollback.undo 78", "a@rollback.undo 7"]


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("rollback_started", None),
        ("task_started", "b@rollback"),
        ("task_succeeded", "b@rollback"),
        ("task_rolled_back", "b"),
        ("task_started", "a@rollback"),
        ("task_rolled_back", "a"),
        ("finally_started", None),
        ("run_ended", None),
    ],
)
def test_a_rollback_goes_on_after_a_crash(
    rig: Rig, does: Any, crash: Any, kind: str, step: str | None, committed: bool
) -> None:
    rig.world.will("c.run", does(7))
    rig.crash_at(kind, step, committed=committed)
    rig.crash(lambda: rig.start(AUTOMATIC + ABC + LAST))
    if rig.journal.record(rig.run).status != "rolled_back":
        assert rig.resume(fresh=False).status == "rolled_back"
    calls = rig.world.calls()
    assert [call for call in calls if "rollback" in call] == ["b@rollback.undo", "a@rollback.undo"]
    assert calls[-1] == "last.run"
    assert rig.statuses()["a"] == rig.statuses()["b"] == "rolled_back"
    assert rig.journal.record(rig.run).exit_code == 1


def test_a_rollback_by_another_process_waits_for_what_runs_and_starts_nothing_new(rig: Rig) -> None:
    asked = []

    def ask(events: Any) -> None:
        if not asked and any(isinstance(event, ev.TaskStarted) and event.step == "b" for event in events):
            asked.append(True)
            outcome = rig.another().rollback()
            assert (outcome.driver, outcome.exit_code) == ("other", 0)

    rig.journal.after = ask
    outcome = rig.start(ABC)
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 0)
    assert rig.world.calls() == ["a.run", "b.run", "b@rollback.undo", "a@rollback.undo"]


def test_a_rollback_of_a_run_that_nobody_drives_adopts_what_ran(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("b.run", does(waits=True))
    rig.crash_at("task_started", "b", committed=True)
    rig.crash(lambda: rig.start(ABC))
    outcome = rig.rollback()
    assert outcome.status == "rolled_back"
    assert [call for call in rig.world.calls() if call.startswith("c")] == []
    assert rig.statuses()["a"] == "rolled_back"


def test_a_run_without_any_rollback_is_refused(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.start("steps:\n  - {id: a, run: [ACT, run]}\n")
    with pytest.raises(NotAllowed, match="has a `rollback`"):
        rig.rollback()
    assert rig.journal.record(rig.run).status == "failed"


def test_a_changed_runbook_brings_its_own_rollback(rig: Rig, does: Any) -> None:
    rig.world.will("c.run", does(7))
    rig.world.will("b@rollback.undo", does(1))
    rig.start(AUTOMATIC + ABC)
    mended = "id: b, run: [ACT, run], rollback: {run: [ACT, mended"
    changed = AUTOMATIC + ABC.replace("id: b, run: [ACT, run], rollback: {run: [ACT, undo", mended)
    outcome = rig.resume(change=changed)
    assert outcome.status == "rolled_back"
    assert rig.event("runbook_changed")["changes"] == ["~ b@rollback: changed (what it does); a new idempotency key"]
    assert rig.world.calls()[5:] == ["b@rollback.mended"]


def test_a_wait_is_given_up_for_a_rollback(rig: Rig) -> None:
    text = undone("a") + "  - {id: pause, wait: 1h}\n"
    assert rig.start(text, park=True).status == "waiting"
    assert rig.rollback().status == "rolled_back"
    assert rig.statuses() == {"a": "rolled_back", "a@rollback": "succeeded", "pause": "cancelled"}


def test_what_a_run_waited_for_that_is_rolled_back_is_cancelled(rig: Rig, does: Any) -> None:
    rig.world.will("bad.run", does(7))
    outcome = rig.start(
        """
on_failure: rollback
steps:
  - {id: a, run: [ACT, run], rollback: {run: [ACT, undo]}}
  - {id: pause, needs: [a], wait: 1h}
  - {id: ok, needs: [a], approval: {message: go?, approvers: [ada]}}
  - {id: bad, needs: [a], run: [ACT, run]}
"""
    )
    assert (outcome.status, outcome.exit_code) == ("rolled_back", 1)
    assert {step: rig.statuses()[step] for step in ("pause", "ok")} == {"pause": "cancelled", "ok": "cancelled"}
    assert rig.task("pause").reason == "stopped by a rollback"


def test_what_a_run_waits_for_that_failed_goes_on_with_it(rig: Rig, does: Any) -> None:
    rig.world.will("bad.run", does(7), does(0))
    steps = "  - {id: pause, needs: [], wait: 1h}\n  - {id: bad, needs: [], run: [ACT, run]}\n"
    assert rig.start("steps:\n" + steps).status == "failed"
    until = rig.task("pause").waiting
    assert until is not None and rig.statuses()["pause"] == "waiting"
    rig.pass_time(2)
    assert rig.resume().status == "succeeded"
