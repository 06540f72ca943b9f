"""A question as data that another user's durun can read: enough of the run to show what a decision is about.

Only what the runbook and the plain inputs say, which targets are known, and what is over: no outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from durun.model.event import RunCreated, decode, encode
from durun.model.state import Resolved, RunState
from durun.model.status import RunStatus
from durun.model.task import RunRecord, TaskKey, TaskState, Waiting
from durun.model.values import Json

_OVER = ("succeeded", "skipped")


class Described(NamedTuple):
    """A run as far as it was described, and what of it is asked."""

    state: RunState
    key: TaskKey
    waiting: Waiting


def described(state: RunState, key: TaskKey, waiting: Waiting) -> dict[str, Json]:
    """The question as JSON. `understood` takes it apart again."""
    record = state.record
    over = [one for one, task in state.tasks.items() if task.status in _OVER and one.round == key.round]
    over_targets: dict[str, list[str]] = {}
    for one in over:
        if one.target is not None:
            over_targets.setdefault(one.step, []).append(one.target)
    return {
        "run": {"id": record.id, "runbook": record.runbook, "digest": record.digest, "created_at": record.created_at},
        "created": encode(state.created),
        "targets": [[step, round_, list(found.index)] for (step, round_), found in state.resolved.items()],
        "over": sorted({one.step for one in over if one.target is None}),
        "over_targets": over_targets,
        "closing": record.final_status is not None,
        "task": list(key),
        "since": state.tasks[key].changed_at,
        "kind": waiting.kind,
        "until": waiting.until,
        "asked": waiting.asked,
    }


def understood(content: Mapping[str, Json]) -> Described:
    """What `described` said. Raises KeyError, TypeError or ValueError for anything else."""
    run, created = content["run"], decode("run_created", content["created"])
    if not isinstance(created, RunCreated):
        raise TypeError("no run")
    step, target, round_ = content["task"]
    closing: RunStatus | None = "failed" if content.get("closing") else None  # which one does not matter to anybody
    record = RunRecord(run["id"], run["runbook"], run["digest"], "waiting", run["created_at"], final_status=closing)
    key = TaskKey(step, target, round_)
    waiting = Waiting(content["kind"], content["until"], content["asked"])
    over = [TaskKey(name, None, round_) for name in content["over"]]
    over += [TaskKey(name, one, round_) for name, keys in content.get("over_targets", {}).items() for one in keys]
    tasks = {one: TaskState(status="succeeded") for one in over}
    tasks[key] = TaskState(status="waiting", waiting=waiting, changed_at=content["since"])
    resolved = {(name, number): Resolved(dict.fromkeys(keys)) for name, number, keys in content["targets"]}
    return Described(RunState(record, created, tasks, resolved), key, waiting)
