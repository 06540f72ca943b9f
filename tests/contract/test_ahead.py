"""What people approve of: the targets of what comes after it, now or once they are known; the same in every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import NotCounted

from .asked import ADA, EVE

if TYPE_CHECKING:
    from contract.engines.rig import Rig

AHEAD = """
inputs: {hosts: {type: array, default: [h1, h2]}}
steps:
  - {id: found, generate: {choice: {from: [x]}}}
  - id: ok
    approval: {message: m, approvers: [bob]}
  - {id: given, targets: "${{ inputs.hosts }}", max_parallel: 2, run: [ACT, given]}
  - {id: made, targets: ["${{ steps.found.outputs.choice }}"], run: [ACT, made]}
  - {id: last, needs: [], targets: [z], run: [ACT, last]}
"""


def test_before_people_are_asked_the_targets_are_had_that_can_be(rig: Rig) -> None:
    assert rig.start(AHEAD, inputs={"hosts": ["h1", "h2"]}).exit_code == 5
    assert rig.task("ok").waiting.asked["ahead"] == {"given": 2, "made": 1}
    kinds = rig.events()
    assert kinds.index("task_waiting") > max(i for i, kind in enumerate(kinds) if kind == "targets_resolved") - 1
    assert rig.world.calls() == ["last.z.last"]
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.events().count("targets_resolved") == 3


def test_a_command_lists_targets_before_people_are_asked_where_nothing_acts_between(rig: Rig, does: Any) -> None:
    steps = """
steps:
  - {id: ok, approval: {message: m, approvers: [bob]}}
  - {id: fan, targets: {run: [ACT, list]}, run: [ACT, run]}
  - {id: act, run: [ACT, run]}
  - {id: later, targets: {run: [ACT, list]}, run: [ACT, run]}
"""
    rig.world.will("fan.list", does(stdout="h1\nh2"))
    rig.world.will("later.list", does(stdout="h3"))
    assert rig.start(steps).exit_code == 5
    assert rig.world.calls() == ["fan.list"]
    assert rig.task("ok").waiting.asked["ahead"] == {"fan": 2, "later": None}


def test_targets_that_can_not_be_had_are_nothing_to_approve_of(rig: Rig, does: Any) -> None:
    steps = """
steps:
  - {id: ok, approval: {message: m, approvers: [bob]}}
  - {id: fan, targets: {run: [ACT, list]}, run: [ACT, run]}
"""
    rig.world.will("fan.list", does(1), does(stdout="h1"))
    assert rig.start(steps).exit_code == 1
    assert "the targets of fan can't be had" in rig.task("ok").reason
    assert rig.resume().exit_code == 5
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["fan.list", "fan.list", "fan.h1.run"]


@pytest.mark.fault(28)
def test_what_was_approved_already_is_asked_anew_when_the_runbook_changes_before_it_is_done(rig: Rig) -> None:
    steps = """
steps:
  - {id: ok, approval: {message: m, approvers: [bob]}}
  - {id: a, run: [ACT, run]}
  - {id: second, approval: {message: n, approvers: [bob]}}
  - {id: b, run: [ACT, run]}
"""
    rig.start(steps)
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 5
    changed = steps.replace("id: b, run: [ACT, run]", "id: b, run: [ACT, more]")
    assert rig.resume(fresh=False, change=changed).exit_code == 5
    assert [rig.task(step).status for step in ("ok", "a")] == ["waiting", "succeeded"]
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 5
    rig.say("second", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["a.run", "b.more"]


LATER = """
steps:
  - id: ok
    approval: {message: "go?", approvers: [bob, eve], timeout: 24h}
  - {id: find, run: [ACT, find], outputs: {hosts: {type: array}}}
  - {id: fan, targets: "${{ steps.find.outputs.hosts }}", max_parallel: 2, run: [ACT, run]}
  - {id: after, run: [ACT, run]}
"""


def test_targets_that_become_known_later_are_approved_once_more_before_one_is_begun(rig: Rig, does: Any) -> None:
    rig.world.will("find.find", does(outputs={"hosts": '["h1", "h2"]'}))
    rig.start(LATER)
    assert rig.task("ok").waiting.asked["ahead"] == {"fan": None}
    rig.say("ok", "approve", reason="fine")
    assert rig.resume(fresh=False).exit_code == 5
    assert rig.world.calls() == ["find.find"]
    again = rig.task("fan").waiting
    assert (again.asked["approvers"], again.asked["ahead"]) == (["bob", "eve"], {"fan": 2})
    asked_at = rig.journal.events(rig.run, types=["task_waiting"])[-1].at
    assert again.until - asked_at == pytest.approx(86400)
    assert rig.resume(fresh=False).exit_code == 5
    with pytest.raises(NotCounted):
        rig.say("fan", "approve", by=ADA)
    rig.say("fan", "approve", by=EVE)
    assert rig.resume(fresh=False).exit_code == 0
    first, *fan, last = rig.world.calls()
    assert (first, sorted(fan), last) == ("find.find", ["fan.h1.run", "fan.h2.run"], "after.run")
    assert rig.journal.record(rig.run).total == 6


def test_targets_that_are_denied_are_never_begun(rig: Rig, does: Any) -> None:
    rig.world.will("find.find", does(outputs={"hosts": '["h1"]'}))
    rig.start(LATER)
    rig.say("ok", "approve")
    rig.resume(fresh=False)
    rig.say("fan", "reject", reason="not that one")
    outcome = rig.resume(fresh=False)
    assert (outcome.status, outcome.exit_code) == ("failed", 6)
    assert rig.world.calls() == ["find.find"]
    assert rig.resume().exit_code == 5
    rig.say("fan", "approve")
    assert rig.resume(fresh=False).exit_code == 0
    assert rig.world.calls() == ["find.find", "fan.h1.run", "after.run"]


def test_no_targets_need_no_second_approval(rig: Rig, does: Any) -> None:
    rig.world.will("find.find", does(outputs={"hosts": "[]"}))
    rig.start(LATER)
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 0


def test_a_cancel_ends_a_second_approval(rig: Rig, does: Any) -> None:
    rig.world.will("find.find", does(outputs={"hosts": '["h1"]'}))
    rig.start(LATER)
    rig.say("ok", "approve")
    assert rig.resume(fresh=False).exit_code == 5
    assert rig.cancel().exit_code == 12
    assert (rig.task("fan").status, rig.world.calls()) == ("cancelled", ["find.find"])
