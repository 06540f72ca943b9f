"""From how a process ended to what that means for its task. Pure, so that the rule is one and is tested alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from durun.model.event import TaskCancelled, TaskFailed, TaskInDoubt
from durun.model.people import DENIED, EXPIRED
from durun.model.plan import Node
from durun.model.retry import AMBIGUOUS, FOR_GOOD
from durun.model.runbook import Step
from durun.model.status import Answer, How, RunStatus
from durun.model.task import TaskKey, TaskState
from durun.model.tuples import NamedTuple
from durun.model.values import Json


class Exit(NamedTuple):
    """How a process ended. `cause` is what made it end, `error` says why it was not started.

    `leftover` are processes that could not be stopped, `said` is the reason that the process itself gave. `evidence` is
    what was taken (see `Attempt`), `lost` why not all of it could be.
    """

    cause: Literal["exit", "timeout", "cancel", "not_started"]
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    leftover: tuple[int, ...] = ()
    log: Mapping[str, Json] | None = None
    said: str = ""
    evidence: Json = None
    lost: str = ""


class ExitCodes(NamedTuple):
    """Which exit codes of a step are good, which say nothing, and which that no retry will help."""

    ok: tuple[int, ...] = (0,)
    ambiguous: tuple[int, ...] = ()
    final: tuple[int, ...] = ()


def final_codes(step: Step) -> tuple[int, ...]:
    """The exit codes of a step after which no retry will help."""
    return (FOR_GOOD,) if step.call is not None and step.call.action.kind == "uses" else ()


NOT_STARTED = "not_started"
"""The code of a failure to start a step at all."""

NO_EVIDENCE = "evidence"
"""The code of a step that is done, but whose evidence could not be taken."""

NO_SECRET = "secret"
"""The code of a failure to have a secret that a step names."""


def judge(
    key: TaskKey, node: Node, codes: ExitCodes, ended: Exit, how: How
) -> TaskFailed | TaskInDoubt | TaskCancelled | None:
    """The event that this end makes of an attempt; None when it ended well (its outputs are still to be read)."""
    if ended.cause == NOT_STARTED:
        return _failed(key, ended, how, NOT_STARTED, ended.error, retryable=False)
    if ended.leftover:
        pids = ", ".join(map(str, ended.leftover))
        return _in_doubt(key, ended, how, f"could not be stopped: process {pids} lives on", ended.leftover[0])
    if ended.cause != "exit" or ended.exit_code is None:
        return _cut_short(key, node, ended, how)
    if ended.exit_code in codes.ok:
        return None
    if ended.exit_code == AMBIGUOUS or ended.exit_code in codes.ambiguous:
        reason = ended.said or f"exit code {ended.exit_code}: the step can't tell whether it is done"
        return _in_doubt(key, ended, how, reason)
    reason = ended.said or f"exit code {ended.exit_code}"
    return _failed(key, ended, how, "exit", reason, retryable=ended.exit_code not in codes.final)


def _cut_short(key: TaskKey, node: Node, ended: Exit, how: How) -> TaskFailed | TaskInDoubt | TaskCancelled:
    """Ended by a timeout, a cancel or a signal, whoever sent it: how far it came, nobody can tell."""
    reason = {
        "timeout": "stopped at its timeout",
        "cancel": "stopped by a cancel",
        "exit": f"ended by signal {ended.signal}",
    }[ended.cause]
    if not node.idempotent:
        return _in_doubt(key, ended, how, reason)
    if ended.cause == "cancel":
        return TaskCancelled(
            **_task(key), reason=reason, exit_code=ended.exit_code, log=ended.log, evidence=ended.evidence
        )
    return _failed(key, ended, how, "timeout" if ended.cause == "timeout" else "signal", reason)


def _task(key: TaskKey) -> dict[str, Json]:
    return {"step": key.step, "target": key.target, "round": key.round}


def _failed(key: TaskKey, ended: Exit, how: How, code: str, reason: str, *, retryable: bool = True) -> TaskFailed:
    return TaskFailed(
        **_task(key),
        code=code,
        reason=reason,
        how=how,
        exit_code=ended.exit_code,
        retryable=retryable,
        log=ended.log,
        evidence=ended.evidence,
    )


def _in_doubt(key: TaskKey, ended: Exit, how: How, reason: str, pid: int | None = None) -> TaskInDoubt:
    return TaskInDoubt(
        **_task(key),
        reason=reason,
        how=how,
        exit_code=ended.exit_code,
        gone=pid is None,
        pid=pid,
        log=ended.log,
        evidence=ended.evidence,
    )


def answer_of(ended: Exit, done_on: tuple[int, ...], not_done_on: tuple[int, ...]) -> tuple[Answer, str]:
    """What a verify's end says, and why. Whatever is in neither list is unknown."""
    if ended.cause == NOT_STARTED:
        return "unknown", ended.error
    if ended.cause != "exit":
        return "unknown", f"stopped by its {ended.cause}"
    if ended.exit_code is None:
        return "unknown", f"ended by signal {ended.signal}"
    if ended.exit_code in done_on:
        return "done", ended.said or f"exit code {ended.exit_code}"
    if ended.exit_code in not_done_on:
        return "not_done", ended.said or f"exit code {ended.exit_code}"
    return "unknown", ended.said or f"exit code {ended.exit_code} is neither in done_on nor in not_done_on"


def exit_code_of(status: RunStatus, tasks: Mapping[TaskKey, TaskState], rollback_code: int | None = None) -> int:
    """The process's exit code for a run with this status (the table is in `durun/README.md`).

    `tasks` are those that make it failed: nobody forgives them, and of `finally` only the last round counts.
    `rollback_code`: what a run ends with that was rolled back.
    """
    match status:
        case "succeeded":
            return 0
        case "in_doubt":
            return 3
        case "waiting":
            return 5
        case "cancelled":
            return 12
        case "rolled_back":
            return rollback_code or 0
        case "rollback_failed":
            return 1
        case _:
            codes = {task.code for task in tasks.values() if task.status == "failed"}
            if NO_SECRET in codes or NOT_STARTED in codes:
                return 9 if NO_SECRET in codes else 4
            return 6 if codes & {DENIED, EXPIRED} else 1
