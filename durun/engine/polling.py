"""What the answer of a `wait_for`'s probe says: the same in every engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from durun.language.data import NotData, parse_json
from durun.language.expressions import ExpressionError, evaluate_condition, references
from durun.language.outputs import MAX_STDOUT
from durun.model.event import RequestWithdrawn, TaskFailed
from durun.model.outcome import Exit, answer_of
from durun.model.runbook import Poll, Step
from durun.model.task import TaskKey, TaskState
from durun.model.values import Expression, Json

PATIENCE: Final = 60.0
"""Seconds that one probe may take."""
LAST_PATIENCE: Final = 10.0
"""Seconds that one may take beyond the end of the wait."""
STDOUT_CAP: Final = MAX_STDOUT
"""Bytes of stdout that are looked at."""


class Said(NamedTuple):
    """What a probe has said: it holds (`done`), not yet, never (`failed`), or nothing that can be read (`unknown`)."""

    answer: Literal["done", "not_done", "failed", "unknown"]
    reason: str


class Given(NamedTuple):
    """What a probe has left: the beginning of its stdout, or the body of an answer, and that answer's status."""

    stdout: bytes = b""
    status: int | None = None


def what_is_said(poll: Poll, ended: Exit, given: Given, scope: Mapping[str, Any]) -> Said:
    """What the end of a probe means. Whatever can't be read is "not yet"."""
    answer, reason = answer_of(ended, (0,), ())
    reason = reason.partition(" is neither")[0]
    requests = poll.call.action.kind == "http"
    if ended.cause != "exit" or ended.exit_code is None or (requests and given.status is None):
        return Said("unknown", reason)
    try:
        scope = {**scope, "result": _result(poll, ended, given)}
        if poll.fail_when is not None and _holds("fail_when", poll.fail_when, scope):
            return Said("failed", f"`fail_when` holds: {_shown(poll.fail_when)} ({reason})")
        if poll.until is None:
            good = given.status // 100 == 2 if given.status is not None else answer == "done"
            return Said("done" if good else "not_done", reason)
        if _holds("until", poll.until, scope):
            return Said("done", reason)
    except ExpressionError as error:
        return Said("unknown", f"{error.message} ({reason})")
    return Said("not_done", f"`until` does not hold: {_shown(poll.until)} ({reason})")


def overdue(key: TaskKey, task: TaskState) -> TaskFailed:
    """It has not come in its time."""
    times = task.waiting.times if task.waiting is not None else 0
    reason = f"timed out: {task.reason}; asked {times} time{'' if times == 1 else 's'}"
    return TaskFailed(**key._asdict(), code="timeout", reason=reason, exit_code=task.exit_code, retryable=False)


def no_longer(key: TaskKey, task: TaskState, step: Step) -> RequestWithdrawn | None:
    """Of a step that waits for a time or polls: what a changed runbook has made something else of, begins as that."""
    kind = "wait_for" if task.waiting is not None and task.waiting.kind == "poll" else "wait"
    if step.call is not None and step.call.action.kind == kind:
        return None
    return RequestWithdrawn(**key._asdict(), reason="the runbook was changed")


def time_for(task: TaskState, now: float) -> float:
    """Seconds that a probe may take which is asked now."""
    until = task.waiting.until if task.waiting is not None else None
    return PATIENCE if until is None else min(PATIENCE, max(0.0, until - now) + LAST_PATIENCE)


def _result(poll: Poll, ended: Exit, given: Given) -> dict[str, Json]:
    found: dict[str, Json] = {"exit_code": ended.exit_code}
    if given.status is not None:
        found = {"status": given.status}
    asked = {part for one in (poll.until, poll.fail_when) if one is not None for part in _parts(one)}
    text = given.stdout.decode("utf-8", "replace").strip() if asked & {"stdout", "json"} else ""
    found["stdout"] = text
    if "json" in asked:
        try:
            found["json"] = parse_json(text)
        except NotData as error:
            raise ExpressionError(f"`result.json`: stdout is {error.message}") from error
    return found


def _parts(expression: Expression) -> set[str]:
    paths = (reference.path for reference in references(expression))
    return {str(path[1]) for path in paths if path[0] == "result" and len(path) > 1}


def _holds(name: str, expression: Expression, scope: Mapping[str, Any]) -> bool:
    try:
        return evaluate_condition(expression, scope)
    except ExpressionError as error:
        raise ExpressionError(f"`{name}` can't be told: {error.message}") from error


def _shown(expression: Expression) -> str:
    line = " ".join(expression.source.split())
    return line if len(line) <= 100 else line[:100] + "…"
