"""What every engine promises of included runbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import Changed

if TYPE_CHECKING:
    from contract.engines.rig import Rig


CALLING = """
inputs: {who: {default: ada}}
steps:
  - {id: a, run: [ACT, run], outputs: {x: {}}}
  - {id: call, runbook: {file: parts.yaml, inputs: {name: "${{ inputs.who }}-${{ steps.a.outputs.x }}", n: 2}}}
  - {id: b, run: [ACT, run, "${{ steps.call.outputs.both }}"]}
outputs: {both: "${{ steps.call.outputs.both }}"}
"""
PARTS = """
inputs: {name: {required: true, pattern: '^ada'}, n: {type: integer}, more: {default: d}}
steps:
  - {id: a, run: [ACT, run, "${{ inputs.name }}", "${{ inputs.more }}"], outputs: {x: {}}}
  - {id: b, run: [ACT, run], retry: {max_attempts: "${{ inputs.n }}", delay: 0s}}
outputs: {both: "${{ inputs.name }}/${{ steps.a.outputs.x }}"}
"""
INCLUDED = {"parts.yaml": PARTS}


def test_the_steps_of_an_included_runbook_see_their_own_names(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.world.will("call.b.run", does(7), does(0))
    outcome = rig.start(CALLING, INCLUDED, inputs={"who": "ada"})
    assert outcome.status == "succeeded"
    assert rig.world.calls() == [
        "a.run", "call.a.run ada-x-1 d", "call.b.run", "call.b.run", "b.run ada-x-1/x-2",
    ]  # fmt: skip
    assert rig.task("call:inputs").outputs == {"name": "ada-x-1", "n": 2, "more": "d"}
    assert rig.event("run_ended")["outputs"] == {"both": "ada-x-1/x-2"}
    assert rig.event("run_created")["steps"] == ["a", "call:inputs", "call.a", "call.b", "b"]
    assert rig.event("run_created")["included"].keys() == INCLUDED.keys()


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", ["task_started", "task_succeeded"])
@pytest.mark.parametrize("step", ["call:inputs", "call.a"])
@pytest.mark.fault(27)
def test_a_run_goes_on_inside_of_what_it_included(rig: Rig, does: Any, kind: str, step: str, committed: bool) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.crash_at(kind, step, committed=committed)
    rig.crash(lambda: rig.start(CALLING, INCLUDED, inputs={"who": "ada"}))
    outcome = rig.resume()
    if outcome.status == "in_doubt":
        rig.settle("call.a", "done", outputs={"x": "x-2"})
        outcome = rig.resume()
    assert outcome.status == "succeeded"
    assert rig.world.calls().count("call.a.run ada-x-1 d") <= 1
    assert rig.world.calls()[-1] == "b.run ada-x-1/x-2"


def test_inputs_that_do_not_fit_fail_before_anything_inside(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    outcome = rig.start(CALLING, INCLUDED, inputs={"who": "bob"})
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    failed = rig.task("call:inputs")
    assert (failed.code, failed.reason) == ("inputs", "parts.yaml: input `name` must match the pattern ^ada")
    assert rig.world.calls() == ["a.run"]


@pytest.mark.fault(27)
def test_a_changed_included_runbook_keeps_what_is_done(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.world.will("call.b.run", does(7))
    before = rig.start(CALLING, INCLUDED, inputs={"who": "ada"})
    assert before.status == "failed"
    digest = rig.event("run_created")["digest"]
    without = PARTS.replace("- {id: a, ", "- {id: other, ").replace("steps.a.", "steps.other.")
    with pytest.raises(Changed, match=r"step call\.a is done or in doubt"):
        rig.resume(change=CALLING, included={"parts.yaml": without})
    changed = PARTS.replace("id: b,", "id: c,")
    assert rig.resume(change=CALLING, included={"parts.yaml": changed}).status == "succeeded"
    assert rig.event("runbook_changed")["changes"] == ["- call.b: removed", "+ call.c: added"]
    assert rig.event("runbook_changed")["digest"] != digest
    assert rig.world.calls()[-2:] == ["call.c.run", "b.run ada-x-1/x-2"]
