"""What every engine promises of steps that wait for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import NotAllowed, NotCounted
from durun.model.people import conclusion
from durun.model.task import Decision

from .asked import ADA, EVE, STEPS

if TYPE_CHECKING:
    from contract.engines.rig import Rig


def test_a_run_that_waits_for_people_parks_and_says_what_is_asked(rig: Rig) -> None:
    outcome = rig.start(STEPS, inputs={"who": "app"})
    assert (outcome.status, outcome.exit_code) == ("waiting", 5)
    assert rig.world.calls() == ["change.run"]
    waiting = rig.task("approved").waiting
    assert waiting.kind == "approval"
    assert (waiting.asked["message"], waiting.asked["approvers"]) == ("Rotate app?", ["bob", "eve"])
    asked = rig.journal.events(rig.run, types=["task_waiting"])[0]
    assert waiting.until == asked.at + 86400


def test_what_is_approved_goes_on_with_the_values_that_were_given(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    rig.say("approved", "approve", fields={"window": 30}, reason="fine")
    assert rig.task("approved").status == "waiting"
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["change.run", "work.run 30"]
    task = rig.task("approved")
    assert (task.outputs, task.how, task.reason, task.attempts) == ({"window": 30}, "ran", "approved by bob", ())


def test_a_second_resume_asks_nothing_anew(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    asked = rig.task("approved").waiting
    for _ in range(2):
        assert rig.resume(fresh=False).exit_code == 5
    assert rig.task("approved").waiting == asked
    assert (rig.world.calls(), rig.events().count("task_waiting")) == (["change.run"], 1)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("kind", ["task_waiting", "run_parked", "task_succeeded"])
def test_crashes_around_an_approval_ask_once_and_open_one_change(rig: Rig, kind: str, committed: bool) -> None:
    rig.crash_at(kind, "approved" if kind != "run_parked" else None, committed=committed)
    if kind == "task_succeeded":
        rig.start(STEPS, inputs={"who": "app"})
        rig.say("approved", "approve")
        rig.crash(lambda: rig.resume(fresh=False))
    else:
        rig.crash(lambda: rig.start(STEPS, inputs={"who": "app"}))
        assert rig.resume(fresh=False).exit_code == 5
        rig.say("approved", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["change.run", "work.run 0"]
    assert rig.events().count("task_waiting") == 1


def test_a_denied_step_is_failed_with_a_code_of_its_own_and_may_be_asked_anew(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    nonce = rig.task("approved").waiting.asked["nonce"]
    rig.say("approved", "reject", reason="not today")
    outcome = rig.resume(fresh=False)
    assert (outcome.status, outcome.exit_code) == ("failed", 6)
    assert (rig.task("approved").code, rig.task("approved").reason) == ("denied", "denied by bob: not today")
    assert (rig.resume().exit_code, rig.world.calls()) == (5, ["change.run"])
    assert rig.task("approved").waiting.asked["nonce"] != nonce
    assert rig.task("approved").waiting.decisions == ()


def test_several_people_must_approve_and_one_person_counts_once(rig: Rig) -> None:
    rig.start(STEPS.replace("timeout: 24h", "min_approvals: 2"), inputs={"who": "app"})
    rig.say("approved", "approve")
    with pytest.raises(NotCounted, match="one person counts once"):
        rig.say("approved", "approve")
    assert rig.resume(fresh=False).exit_code == 5
    rig.say("approved", "approve", by=EVE)
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.task("approved").reason == "approved by bob, eve"


@pytest.mark.fault(28)
def test_what_does_not_count_is_recorded_and_changes_nothing(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    before = rig.task("approved")
    for more in ({"by": ADA}, {"names": []}, {"nonce": "x"}, {"digest": "x"}):
        with pytest.raises(NotCounted):
            rig.say("approved", "approve", **more)
    assert rig.task("approved") == before
    assert rig.events().count("decision_refused") == 4
    assert (rig.resume(fresh=False).exit_code, rig.world.calls()) == (5, ["change.run"])


@pytest.mark.fault(28)
def test_under_a_changed_runbook_it_is_asked_anew_and_what_was_said_does_not_count(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    old = rig.task("approved").waiting.asked
    rig.say("approved", "approve")
    assert rig.resume(fresh=False, change=STEPS.replace("[ACT, run, ", "[ACT, more, ")).exit_code == 5
    new = rig.task("approved").waiting
    assert new.asked["digest"] != old["digest"] and new.asked["nonce"] != old["nonce"] and new.decisions == ()
    with pytest.raises(NotCounted, match="asked anew"):
        rig.say("approved", "approve", nonce=old["nonce"], digest=old["digest"])
    rig.say("approved", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["change.run", "work.more 0"]


def test_under_the_same_runbook_given_again_nothing_is_asked_anew(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    rig.say("approved", "approve")
    assert rig.resume(fresh=False, change=STEPS).exit_code == 0


def test_nothing_can_be_decided_where_nothing_is_asked(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    asked = rig.task("approved").waiting.asked
    seen = {"nonce": asked["nonce"], "digest": asked["digest"]}
    with pytest.raises(NotAllowed):
        rig.say("approved", "complete")
    rig.say("approved", "approve")
    rig.resume(fresh=False)
    from durun.engine.api import DecideRequest
    from durun.model.task import TaskKey

    request = DecideRequest(rig.run, TaskKey("approved"), "approve", by=ADA, names=["bob"], **seen)
    with pytest.raises(NotAllowed, match="succeeded"):
        rig.engine.signal(request, rig.witness)


def test_a_cancel_ends_the_waiting_and_what_is_said_later_is_refused(rig: Rig) -> None:
    rig.start(STEPS, inputs={"who": "app"})
    assert rig.cancel().exit_code == 12
    assert (rig.task("approved").status, rig.task("approved").waiting) == ("cancelled", None)


def test_what_stands_beside_an_approval_goes_on_before_the_run_parks(rig: Rig) -> None:
    steps = """
steps:
  - {id: ok, approval: {message: m, approvers: [bob]}}
  - {id: b, needs: [], run: [ACT, run]}
  - {id: c, needs: [b], wait: 200ms}
  - {id: d, needs: [c], run: [ACT, run]}
"""
    assert rig.start(steps).exit_code == 5
    assert rig.world.calls() == ["b.run", "d.run"]


def test_a_decision_beside_a_living_runner_is_taken_in_by_it(rig: Rig) -> None:
    steps = """
steps:
  - {id: ok, approval: {message: m, approvers: [bob]}}
  - {id: work, run: [ACT, run]}
  - {id: long, needs: [], wait: 1h}
"""
    others: list[Rig] = []

    def decide() -> None:
        if not others and "task_waiting" in (other := rig.another()).events():
            others.append(other)
            other.say("ok", "approve")
            rig.pass_time(2)

    rig.witness.at_tick = decide
    assert rig.start(steps).exit_code == 0
    assert rig.events().count("session_started") == 1
    others[0].close()


def test_beside_a_doubt_the_run_is_in_doubt_and_beside_a_failure_it_has_failed(rig: Rig, does: Any) -> None:
    steps = "steps:\n  - {id: ok, approval: {message: m, approvers: [bob]}}\n  - {id: b, needs: [], run: [ACT, run]}\n"
    rig.world.will("b.run", does(76), does(1), does(0))
    assert rig.start(steps).exit_code == 3
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 3
    assert rig.task("ok").status == "waiting"
    rig.settle("b", "failed")
    assert rig.resume(fresh=False).exit_code == 1
    assert rig.resume().exit_code == 1
    assert rig.resume().exit_code == 0
    assert rig.task("ok").status == "succeeded"


def test_each_target_is_asked_about_by_itself(rig: Rig) -> None:
    steps = """
steps:
  - id: each
    targets: [t1, t2]
    max_parallel: 2
    max_failures: 1
    steps:
      - {id: ok, approval: {message: "now ${{ target }}?", approvers: [bob]}}
      - {id: act, run: [ACT, run]}
"""
    assert rig.start(steps).exit_code == 5
    assert [rig.task("ok", t).waiting.asked["message"] for t in ("t1", "t2")] == ["now t1?", "now t2?"]
    rig.say("ok", "approve", "t2")
    assert rig.resume(fresh=False).exit_code == 5
    assert rig.world.calls() == ["act.t2.run"]
    rig.say("ok", "reject", "t1", reason="no")
    assert rig.resume(fresh=False).exit_code == 6


def test_a_forgiven_denial_is_no_failure_and_finally_may_ask_too(rig: Rig) -> None:
    steps = """
steps:
  - {id: ok, continue_on_error: true, approval: {message: m, approvers: [bob]}}
  - {id: act, run: [ACT, run]}
finally:
  - {id: seen, manual: {instructions: look}}
  - {id: last, run: [ACT, run]}
"""
    rig.start(steps)
    rig.say("ok", "reject", reason="no")
    assert rig.resume(fresh=False).exit_code == 5
    assert rig.world.calls() == ["act.run"]
    asked = rig.task("seen", round_=1).waiting.asked
    from durun.engine.api import DecideRequest
    from durun.model.task import TaskKey

    seen = {"nonce": asked["nonce"], "digest": asked["digest"], "by": ADA, "names": ()}
    rig.engine.signal(DecideRequest(rig.run, TaskKey("seen", None, 1), "complete", **seen), rig.witness)
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["act.run", "last.run"]


def test_a_skipped_approval_asks_nobody(rig: Rig) -> None:
    steps = """
steps:
  - {id: ok, if: "false", approval: {message: m, approvers: [bob]}}
  - {id: b, run: [ACT, run]}
"""
    assert rig.start(steps).exit_code == 0
    assert rig.events().count("task_waiting") == 0


BY_HAND = """
steps:
  - {id: cable, manual: {instructions: "move ${{ run.id }}", fields: {port: {type: integer, required: true}}}}
  - {id: b, run: [ACT, run, "${{ steps.cable.outputs.port }}"]}
"""


def test_what_a_person_did_by_hand_is_done(rig: Rig) -> None:
    assert rig.start(BY_HAND).exit_code == 5
    assert rig.task("cable").waiting.asked["instructions"] == f"move {rig.run}"
    file = {"name": "a.jpg", "path": "attachments/x", "size": 1, "sha256": "x"}
    rig.say("cable", "complete", by=ADA, fields={"port": 2}, reason="moved", attachments=[file])
    waiting = rig.task("cable").waiting
    assert conclusion(waiting, 0.0) is not None
    assert waiting.decisions == (
        Decision("complete", ADA, waiting.decisions[0].at, "moved", {"port": 2}, waiting.decisions[0].attachments),
    )
    assert list(waiting.decisions[0].attachments) == [file]
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.task("cable").outputs == {"port": 2}


def test_what_a_person_could_not_do_is_failed(rig: Rig) -> None:
    rig.start(BY_HAND)
    rig.say("cable", "fail", reason="no such port")
    assert rig.resume(fresh=False).exit_code == 1
    assert (rig.task("cable").code, rig.world.calls()) == ("manual", [])


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ('approvers: "${{ inputs.x }}"', "no list of names"),
        ('approvers: [bob], min_approvals: "${{ inputs.x }}"', "whole number"),
        ('approvers: ["${{ inputs.x }}"], min_approvals: 2', "there are only 1"),
        ('approvers: [bob], timeout: "${{ inputs.x }}"', "a duration needs a unit"),
    ],
)
def test_what_can_not_be_asked_fails_its_step(rig: Rig, asked: str, why: str) -> None:
    steps = f"inputs: {{x: {{default: '5'}}}}\nsteps:\n  - {{id: ok, approval: {{message: m, {asked}}}}}\n"
    assert rig.start(steps, inputs={"x": "5"}).exit_code == 1
    assert why in rig.task("ok").reason
