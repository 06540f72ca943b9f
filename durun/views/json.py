"""The shapes of `--json`: a contract, documented in `durun/README.md`. Every object has `"schema": 1`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from durun.model import event as ev
from durun.model.clock import to_iso
from durun.model.event import Event, Stamped, TaskEvent, encode, key_of, type_of
from durun.model.state import RunState
from durun.model.status import RunStatus
from durun.model.task import Attempt, RunRecord, TaskKey, TaskState
from durun.model.values import Json
from durun.views.summary import all_counts

SCHEMA = 1

_HIDDEN = frozenset(
    "text surroundings files files_folder env nonce boot_id pid_namespace mount_id request tasks steps "  # noqa: SIM905
    "finally_steps folder".split()
)
"""Fields of events that are durun's own business, or too long for a line."""

_TIMES = ("due", "until", "closes_at", "expected", "found")
"""Fields of events that are seconds since the epoch, and times in JSON."""


def dump(value: Json) -> str:
    """One object as one line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n"


def iso(seconds: float | None) -> str | None:
    """A time as it stands in JSON."""
    return None if seconds is None else to_iso(seconds)


def error(code: str, message: str, hint: str, **more: Json) -> dict[str, Json]:
    """An error, on stderr."""
    return {"error": {"code": code, "message": message, "hint": hint, **more}, "schema": SCHEMA}


def run_line(record: RunRecord, status: RunStatus) -> dict[str, Json]:
    """One run, as in `history`."""
    return {
        "schema": SCHEMA,
        "id": record.id,
        "runbook": record.runbook,
        "status": status,
        "started_at": iso(record.created_at),
        "ended_at": iso(record.ended_at),
        "exit_code": record.exit_code,
        "concurrency_group": record.concurrency_group,
        "tasks": {"total": record.total, **all_counts(record)},
    }


def run_whole(
    state: RunState,
    status: RunStatus,
    tasks: Iterable[tuple[TaskKey, TaskState]],
    waiting_for: Json,
    head: str,
) -> dict[str, Json]:
    """One run, as in `show`."""
    created = state.created
    line = run_line(state.record, status)
    return {
        **line,
        "inputs": created.inputs,
        "sealed": _seals(created.sealed),
        "outputs": state.record.outputs,
        "reason": state.record.reason,
        "request_id": state.record.request_id,
        "requested_by": created.by,
        "runbook_digest": state.record.digest,
        "head": head or None,
        "runbook_file": created.file,
        "waiting_for": waiting_for,
        "cancel_requested": state.record.cancel_requested,
        "rollback_requested": state.record.rollback_requested,
        "standing": standing(state),
        "privileges": [
            {"step": key.step, "target": key.target, "closes_at": iso(task.closes_at)}
            for key, task in state.tasks.items()
            if task.closes_at is not None
        ],
        "targets": {step: list(found.index) for (step, _), found in state.resolved.items()},
        "steps": [*created.steps, *created.finally_steps],
        "task_counts": line["tasks"],
        "tasks": [task_whole(key, task) for key, task in tasks],
    }


def standing(state: RunState) -> list[Json]:
    """The tasks whose effects a rollback has left."""
    return [{"step": key.step, "target": key.target} for key in state.standing]


def task_whole(key: TaskKey, task: TaskState) -> dict[str, Json]:
    """One task, as in `show`."""
    return {
        "step": key.step,
        "target": key.target,
        "round": key.round,
        "status": task.status,
        "how": task.how,
        "reason": task.reason,
        "attempts": [_attempt(attempt) for attempt in task.attempts],
        "outputs": task.outputs,
        "sealed": _seals(task.sealed),
    }


def _seals(sealed: Mapping[str, Json]) -> dict[str, Json]:
    """Of secret values there is a fingerprint: equal for equal values."""
    return {name: {"fingerprint": seal["fingerprint"]} for name, seal in sealed.items()}


def _attempt(attempt: Attempt) -> dict[str, Json]:
    return {
        "number": attempt.number,
        "status": attempt.status,
        "how": attempt.how,
        "started_at": iso(attempt.started_at),
        "ended_at": iso(attempt.ended_at),
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
        "idempotency_key": attempt.key,
        "log": attempt.log,
        "evidence": attempt.evidence,
        "plugin": attempt.plugin or None,
    }


def event_line(run_id: str, stamped: Stamped, attempt: int | None = None) -> dict[str, Json]:
    """One event, as a line of `run --json` and as in `show --events --json`."""
    event = stamped.event
    line: dict[str, Json] = {
        "schema": SCHEMA,
        "event": type_of(event),
        "run": run_id,
        "sequence": stamped.sequence,
        "at": to_iso(stamped.at),
    }
    if isinstance(event, TaskEvent):
        line |= {"step": event.step, "target": event.target, "attempt": attempt}
    data = {name: value for name, value in encode(event).items() if name not in _HIDDEN}
    if isinstance(event, ev.TargetsResolved):
        data["targets"] = [target.key for target in event.targets]
    if "plugins" in data:
        data["plugins"] = {name: f"{one['package']} {one['version']}" for name, one in data["plugins"].items()}
    if isinstance(event, ev.RunEnded):
        data["standing"] = [{"step": step, "target": target} for step, target in event.standing]
    if isinstance(event, ev.NotifyDue):
        data["tells_of"] = data.pop("event")
    data |= {name: iso(data[name]) for name in _TIMES if name in data}
    return {**line, **data}


class AttemptNumbers:
    """Which attempt each event of a task is about: the newest one that had been started when it came."""

    def __init__(self, tasks: Mapping[TaskKey, TaskState] | None = None) -> None:
        self._numbers = {key: len(task.attempts) for key, task in (tasks or {}).items()}

    def of(self, event: Event) -> int | None:
        """The attempt's number; None before the first."""
        if isinstance(event, ev.TaskStarted):
            self._numbers[key_of(event)] = event.attempt
        return self._numbers.get(key_of(event)) or None if isinstance(event, TaskEvent) else None
