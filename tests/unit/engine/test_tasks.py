from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from durun.actions.api import Done, Failed, Process
from durun.engine.tasks import Tasks, definition_of
from durun.errors import Changed
from durun.language.expressions import ExpressionError
from durun.model import event as ev
from durun.model.task import TaskKey
from events import started

BOOK = """
inputs: {on: {type: boolean, default: true}}
steps:
  - {id: a, run: [echo, "${{ inputs.on }}", "${{ step.idempotency_key }}"]}
  - id: outer
    if: ${{ inputs.on }}
    targets: [x, y]
    steps:
      - {id: inner, if: "${{ target == 'x' }}", run: "echo inner"}
  - {id: says, assert: {that: "${{ inputs.on }}", message: off}}
  - {id: makes, generate: {timestamp: {}}}
"""


def tasks_of(run: Any) -> Tasks:
    return Tasks(run.state, run.plan, run.runbook, run.clock)


def work(tasks: Tasks, step: str, target: str | None = None) -> Any:
    key = TaskKey(step, target)
    call = tasks.step(key).call
    assert call is not None
    return tasks.work(key, call)


def test_a_task_is_skipped_by_its_own_if_and_by_those_around_it(told: Callable[..., Any]) -> None:
    run = told(BOOK, on=True)
    run.targets("outer", "x", "y")
    tasks = tasks_of(run)
    assert tasks.unmet(TaskKey("inner", "x")) is None
    assert tasks.unmet(TaskKey("inner", "y")) == "if is false: target == 'x'"
    off = told(BOOK, on=False)
    off.targets("outer", "x")
    assert tasks_of(off).unmet(TaskKey("inner", "x")) == "if of outer is false: inputs.on"
    assert tasks_of(off).unmet(TaskKey("a")) is None


def test_a_fan_out_without_targets_asks_only_the_ifs_that_need_none(told: Callable[..., Any]) -> None:
    assert tasks_of(told(BOOK, on=True)).unmet_without_target(TaskKey("outer")) is None
    assert tasks_of(told(BOOK, on=True)).unmet_without_target(TaskKey("inner")) is None
    assert tasks_of(told(BOOK, on=False)).unmet_without_target(TaskKey("outer")) == "if is false: inputs.on"


def test_an_if_that_turns_out_to_be_no_boolean_is_an_error(told: Callable[..., Any]) -> None:
    run = told("steps: [{id: a, if: '${{ inputs.n[0] }}', run: x}]\ninputs: {n: {type: array}}", n=[1])
    with pytest.raises(ExpressionError):
        tasks_of(run).unmet(TaskKey("a"))


def test_work_is_what_the_action_says(told: Callable[..., Any]) -> None:
    tasks = tasks_of(told(BOOK, on=False))
    key = tasks.idempotency_key(TaskKey("a"))
    assert work(tasks, "a") == Process(argv=("echo", "false", key))
    script = work(tasks, "inner")
    assert (script.argv, script.script) == ((), "echo inner")
    assert work(tasks, "says") == Failed("assert", "off")
    assert work(tasks, "makes") == Done({"timestamp": "1970-01-12T13:46:40.000Z"})


def test_a_key_is_the_same_for_every_attempt_and_another_for_every_task(told: Callable[..., Any]) -> None:
    run = told(BOOK, on=True)
    tasks = tasks_of(run)
    wanted = [TaskKey("a"), TaskKey("inner", "x"), TaskKey("inner", "y"), TaskKey("inner", "x", 1)]
    keys = [tasks.idempotency_key(key) for key in wanted]
    assert len(set(keys)) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)
    run.failed("a")
    assert [tasks_of(run).idempotency_key(key) for key in wanted] == keys


def test_a_changed_call_is_another_definition_and_a_moved_one_is_not(told: Callable[..., Any]) -> None:
    def definition(steps: str) -> str:
        return definition_of(told(f"steps:\n{steps}").runbook.steps[-1])

    first = definition("  - {id: a, run: x}")
    assert definition("\n\n  - {id: a, name: other, retry: {max_attempts: 3}, run: x}") == first
    assert definition("  - {id: a, run: y}") != first
    assert definition("  - {id: a, run: x, env: {A: b}}") != first


@pytest.mark.parametrize("fenced", [False, True])
def test_a_repeat_of_what_was_in_doubt_asks_for_the_same(told: Callable[..., Any], fenced: bool) -> None:
    run = told(BOOK, on=True)
    tasks, key = tasks_of(run), TaskKey("a")
    name = tasks.idempotency_key(key)

    def began(number: int) -> ev.TaskStarted:
        return started("a", attempt=number, folder=number, idempotency_key=name, request="first")

    tasks.refuse_other(key, "other")
    run.tell(began(1), ev.TaskInDoubt(step="a", reason="lost"), ev.TaskRepeated(step="a", proof="idempotent"))
    tasks.refuse_other(key, "first")
    if fenced:
        run.tell(began(2), ev.TaskNeverBegan(step="a", attempt=2, reason="fenced"))
    with pytest.raises(Changed) as refused:
        tasks.refuse_other(key, "other")
    assert refused.value.message == "a: the request differs from that of the attempt that was in doubt"


@pytest.mark.parametrize("end", ["failed", "another key"])
def test_another_key_or_a_failure_may_ask_for_something_else(told: Callable[..., Any], end: str) -> None:
    run = told(BOOK, on=True)
    if end == "failed":
        run.failed("a")
    else:
        run.doubtful("a")
    tasks_of(run).refuse_other(TaskKey("a"), "other")
