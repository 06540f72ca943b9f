from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durun.engine.values import Values
from durun.language.expressions import ExpressionError, render
from durun.model import event as ev
from durun.model.task import TaskKey
from durun.model.values import Expression, Template

BOOK = """
inputs: {who: {type: string, default: ada}}
steps:
  - {id: a, run: make, outputs: {port: {type: integer}}}
  - id: fan
    targets: [x, y]
    steps:
      - {id: one, run: make, outputs: {n: {type: integer}}}
      - {id: two, run: make}
    outputs: {sum: "${{ steps.one.outputs.n }}"}
  - id: group
    steps:
      - {id: inner, run: make, outputs: {z: {}}}
    outputs: {z: "${{ steps.inner.outputs.z }}!"}
  - {id: last, run: make}
finally:
  - {id: clean, run: make, outputs: {freed: {}}}
  - {id: report, run: make}
"""


def values_of(run: Any) -> Values:
    return Values(run.state, run.plan, run.runbook)


def value(run: Any, expression: str, key: TaskKey | None = None, **extra: Any) -> Any:
    """What an expression of this task evaluates to."""
    return render(Template((Expression(expression),)), values_of(run).scope(key, extra))


def test_inputs_env_and_run(told: Callable[..., Any]) -> None:
    run = told(BOOK, who="bob")
    assert value(run, "inputs.who ~ ' ' ~ env.REGION") == "bob north"
    assert value(run, "run.id ~ ' ' ~ run.status ~ ' ' ~ run.started_at") == "r1 running 1970-01-12T13:46:40.000Z"
    run.tell(ev.FinallyStarted(round=1, status="failed", tasks=2))
    assert value(run, "run.status") == "failed"


def test_outputs_and_status_of_a_step(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    assert value(run, "steps.a.status") == "pending"
    run.done("a", port=8080)
    assert value(run, "steps.a.outputs.port + 1") == 8081
    assert value(run, "steps.a.status") == "succeeded"


@pytest.mark.parametrize(
    "expression", ["steps.nowhere", "steps.a.output", "run.name", "steps.a.targets", "steps.a.outputs.x"]
)
def test_a_name_that_is_not_there_is_an_error(told: Callable[..., Any], expression: str) -> None:
    with pytest.raises(ExpressionError):
        value(told(BOOK), expression)


def test_inside_a_fan_out_the_steps_are_those_of_the_same_target(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.targets("fan", x={"ip": "::1"}, y={"ip": "::2"})
    run.done("one", "x", n=1)
    run.done("one", "y", n=2)
    assert value(run, "steps.one.outputs.n", TaskKey("two", "y")) == 2
    assert value(run, "target.ip", TaskKey("two", "x")) == "::1"
    assert value(run, "steps.two.status", TaskKey("two", "x")) == "pending"
    assert "targets" not in values_of(run).scope(TaskKey("two", "x"))["steps"]["one"]


def test_outside_of_a_fan_out_its_steps_have_targets_and_no_outputs(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.targets("fan", "x", "y")
    run.done("one", "x", n=1)
    run.failed("one", "y")
    last = TaskKey("last")
    assert value(run, "steps.one.targets.x.outputs.n", last) == 1
    assert value(run, "steps.one.targets['y'].status", last) == "failed"
    assert value(run, "steps.fan.targets.x.outputs.sum", last) == 1
    assert value(run, "steps.fan.targets | list", last) == ["x", "y"]
    steps = values_of(run).scope(last)["steps"]
    assert steps["one"]["outputs"] == {}
    assert steps["one"]["evidence"] == {}
    assert len(steps["one"]) == 4
    with pytest.raises(KeyError):
        steps["one"]["targets"]["z"]
    with pytest.raises(ExpressionError):
        value(run, "target", last)


def test_the_status_of_many_is_the_one_that_needs_most_attention(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    assert value(run, "steps.fan.status") == "pending"
    run.targets("fan", "x", "y")
    run.done("one", "x")
    run.done("two", "x")
    assert value(run, "steps.fan.status") == "pending"
    run.begun("one", "y")
    assert value(run, "steps.fan.status") == "running"
    run.tell(ev.TaskFailed(step="one", target="y", code="exit", reason=""))
    assert value(run, "steps.fan.status") == "failed"
    run.doubtful("two", "y")
    assert value(run, "steps.fan.status") == "in_doubt"
    assert value(run, "steps.one.status") == "failed"
    assert value(run, "steps.fan.targets.x.status") == "succeeded"


def test_the_status_of_a_fan_out_without_targets(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.tell(ev.TaskFailed(step="fan", code="targets", reason="no list"))
    assert value(run, "steps.fan.status") == "failed"
    empty = told(BOOK)
    empty.targets("fan")
    assert value(empty, "steps.fan.status") == "skipped"


def test_a_groups_outputs_are_made_from_what_is_in_it(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.done("inner", z="deep")
    assert value(run, "steps.group.outputs.z") == "deep!"
    assert value(run, "steps.group.status") == "succeeded"
    assert list(values_of(run).outputs("group", None, 0)) == ["z"]


def test_a_finally_step_sees_those_of_its_own_round(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.tell(ev.FinallyStarted(round=1, status="failed", tasks=2))
    run.done("clean", None, 1, freed="1 GB")
    assert value(run, "steps.clean.outputs.freed", TaskKey("report", None, 1)) == "1 GB"
    assert value(run, "steps.clean.status", TaskKey("report", None, 2)) == "pending"


def test_failed_steps_are_named_in_file_order_and_each_once(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    run.targets("fan", "x", "y")
    run.failed("last")
    run.failed("one", "y")
    run.doubtful("one", "x")
    run.done("a")
    assert value(run, "run.failed_steps") == ["one", "last"]


def test_extra_names_win(told: Callable[..., Any]) -> None:
    assert value(told(BOOK), "step.idempotency_key", step={"idempotency_key": "k"}) == "k"


def test_values_follow_the_state(told: Callable[..., Any]) -> None:
    run = told(BOOK)
    scope = values_of(run).scope(None)
    assert scope["steps"]["a"]["status"] == "pending"
    run.done("a")
    assert scope["steps"]["a"]["status"] == "succeeded"
