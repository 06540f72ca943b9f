"""What a plan says about approvals: what comes after each, and what must be done before targets can be listed."""

from __future__ import annotations

from pathlib import Path

from durun.language.load import load
from durun.language.plan import make_plan
from durun.model.plan import Plan

ASK = "approval: {message: m, approvers: [ada]}"


def plan_of(text: str, folder: Path | None = None) -> Plan:
    runbook = load(f"durun: 1\nname: x\n{text}".encode(), "x.yaml", str(folder or "/nowhere")).runbook
    return make_plan(runbook, {}, {})


def test_without_an_approval_nothing_is_said():
    plan = plan_of("steps:\n  - {id: a, run: echo}\n  - {id: b, targets: [x], run: echo}\n")
    assert {(node.after, node.reads) for node in plan.nodes.values()} == {((), ())}


def test_what_comes_after_is_what_needs_it_in_any_way_but_finally():
    plan = plan_of(
        f"""
steps:
  - {{id: ok, {ASK}}}
  - {{id: beside, needs: [], run: echo}}
  - id: group
    needs: [ok]
    steps:
      - {{id: inner, run: echo}}
      - {{id: again, {ASK}}}
      - {{id: end, run: echo}}
  - {{id: last, targets: [x], run: echo}}
finally:
  - {{id: fin, {ASK}}}
"""
    )
    assert set(plan.nodes["ok"].after) == {"group", "inner", "again", "end", "last"}
    assert set(plan.nodes["again"].after) == {"end", "last"}
    assert plan.nodes["fin"].after == ()


def test_targets_want_what_they_name_and_what_is_listed_wants_all_that_acts_before():
    plan = plan_of(
        f"""
steps:
  - {{id: find, run: echo, outputs: {{hosts: {{type: array}}}}}}
  - {{id: pick, generate: {{uuid: {{}}}}}}
  - {{id: ok, {ASK}}}
  - {{id: given, if: "steps.pick.outputs.uuid != ''", targets: "${{{{ steps.find.outputs.hosts }}}}", run: echo}}
  - {{id: plain, needs: [ok], targets: [x], run: echo}}
  - {{id: listed, needs: [ok], targets: {{run: ls}}, run: echo}}
  - {{id: filed, targets: {{file: hosts.yaml}}, run: echo}}
"""
    )
    assert plan.nodes["given"].reads == ("find", "pick")
    assert plan.nodes["plain"].reads == ()
    assert plan.nodes["listed"].reads == ("find",)
    assert plan.nodes["filed"].reads == ("find", "listed")


def test_an_approval_in_an_included_runbook_and_one_around_it(tmp_path):
    (tmp_path / "inner.yaml").write_text(
        f"""durun: 1
name: inner
inputs: {{hosts: {{type: array}}, late: {{type: array}}}}
steps:
  - {{id: a, run: echo, outputs: {{x: {{type: array}}}}}}
  - {{id: ok, {ASK}}}
  - {{id: b, targets: "${{{{ steps.a.outputs.x }}}}", run: echo}}
  - {{id: c, targets: "${{{{ inputs.hosts }}}}", run: echo}}
  - {{id: d, targets: "${{{{ inputs.late }}}}", run: echo}}
"""
    )
    plan = plan_of(
        f"""
steps:
  - {{id: go, {ASK}}}
  - {{id: pre, run: echo, outputs: {{x: {{type: array}}}}}}
  - {{id: inc, runbook: {{file: inner.yaml, inputs: {{hosts: [h], late: "${{{{ steps.pre.outputs.x }}}}"}}}}}}
finally:
  - {{id: fin, runbook: {{file: inner.yaml, inputs: {{hosts: [h]}}}}}}
""",
        tmp_path,
    )
    assert set(plan.nodes["go"].after) >= {"inc", "inc.a", "inc.ok", "inc.b", "inc.c", "inc.d"}
    assert not any(step.startswith("fin") for step in plan.nodes["go"].after)
    assert set(plan.nodes["inc.ok"].after) == {"inc.b", "inc.c", "inc.d"}
    assert plan.nodes["inc.b"].reads == ("inc.a",)
    assert plan.nodes["inc.c"].reads == ()
    assert plan.nodes["inc.d"].reads == ("inc:inputs",)
    assert plan.nodes["fin.ok"].after == ()
