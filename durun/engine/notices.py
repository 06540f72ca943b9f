"""Who is to be told of how a run stands, and in which words: the same in every engine.

`notify_due` is recorded with what it is about, in one commit; `notified` when somebody was told, or could not be. What
is between the two is told by whoever comes next, and what could not be told is tried again, later each time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from durun.journal.api import Journal
from durun.model.clock import to_iso
from durun.model.event import Event, Notified, NotifyDue
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import NotifyOn, RunStatus, spoken
from durun.model.task import TaskKey, TaskState
from durun.model.values import Json

AGAIN: Final = (60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds from each time that a notifier could not tell something to its next try; after the last it is given up."""

_MOST = 10
"""So many tasks are named in a message."""


class Unsent(NamedTuple):
    """What is still to be told by one notifier. `failures`: how often it could not."""

    due: NotifyDue
    notifier: int
    failures: int

    @property
    def key(self) -> str:
        """The same, however often it is sent."""
        return f"{self.due.key}-{self.notifier}"


def of_status(status: RunStatus, exit_code: int) -> NotifyOn | None:
    """What a run that ends or parks like this is to those who are told; None: nothing."""
    if status in ("waiting", "in_doubt", "succeeded", "failed"):
        return status
    undone = status == "rolled_back" and exit_code
    return "failed" if undone or status == "rollback_failed" else None


def due(runbook: Runbook, state: RunState, event: NotifyOn | None, newest: Event | None) -> NotifyDue | None:
    """Who is to be told of this; None: nobody, or they know it (by `newest`, the last that was due)."""
    chosen = [place for place, notice in enumerate(runbook.notify) if event in notice.events]
    if event is None or not chosen:
        return None
    record = state.record
    tasks = sorted(_standing(key, task) for key, task in state.tasks.items() if _matters(task, event))
    standing = [record.round, tasks]
    about = _digest([event, standing])
    if isinstance(newest, NotifyDue) and newest.about == about and event in ("waiting", "in_doubt"):
        return None
    return NotifyDue(event=event, about=about, key=_digest([record.id, record.sequence, about])[:32], notifiers=chosen)


def _matters(task: TaskState, event: NotifyOn) -> bool:
    return task.status == event or (event == "failed" and task.status == "in_doubt")


def _standing(key: TaskKey, task: TaskState) -> list[str]:
    waiting = task.waiting
    asked = waiting.asked["nonce"] if waiting is not None and waiting.asked is not None else ""
    until = waiting.until if waiting is not None else None
    return [str(key), str(key.round), str(len(task.attempts)), str(until), asked]


def _digest(value: Json) -> str:
    return hashlib.sha256(json.dumps(value).encode(errors="surrogatepass")).hexdigest()


def unsent(events: Iterable[Event]) -> Iterator[Unsent]:
    """What was due, is not known to have been told, and is not given up."""
    found = list(events)
    asked = [event for event in found if isinstance(event, Notified)]
    told = {(event.key, event.notifier) for event in asked if event.ok}
    failures = Counter((event.key, event.notifier) for event in asked)
    due = ((event, place) for event in found if isinstance(event, NotifyDue) for place in event.notifiers)
    for event, place in due:
        about = event.key, place
        if about not in told and failures[about] <= len(AGAIN):
            yield Unsent(event, place, failures[about])


def unsent_of(journal: Journal, run_id: str) -> list[Unsent]:
    """What is still to be told of a run. Raises NoSuchRun."""
    found = journal.events(run_id, types=("notify_due", "notified"))
    return list(unsent(stamped.event for stamped in found))


def later(left: Iterable[Unsent]) -> float | None:
    """In how many seconds the first of these, none of which could be told just now, is to be tried again."""
    return min((AGAIN[one.failures - 1] for one in left if one.failures), default=None)


def message(state: RunState, one: Unsent, head: str) -> dict[str, Json]:
    """What is told, as data. `head`: the digest of the register's newest entry about the run, to keep."""
    record, created = state.record, state.created
    tasks = [
        {"step": key.step, "target": key.target, "status": task.status, "reason": task.reason}
        for key, task in state.tasks.items()
        if task.status in ("failed", "in_doubt", "waiting")
    ]
    return {
        "schema": 1,
        "event": one.due.event,
        "key": one.key,
        "run": record.id,
        "runbook": record.runbook,
        "status": record.status,
        "exit_code": record.exit_code,
        "reason": record.reason,
        "started_at": to_iso(record.created_at),
        "ended_at": None if record.ended_at is None else to_iso(record.ended_at),
        "by": created.by.get("user"),
        "host": created.by.get("host"),
        "head": head or None,
        "tasks": tasks[:_MOST],
        "more_tasks": max(0, len(tasks) - _MOST),
        "next": f"durun show {record.id}",
    }


def title_of(told: dict[str, Json]) -> str:
    """One line for people."""
    words = {"failed": "FAILED", "waiting": "waits", "in_doubt": "IN DOUBT", "succeeded": "succeeded"}
    return f"durun: {told['runbook']} {words[told['event']]} ({told['run']})"


def body_of(told: dict[str, Json]) -> str:
    """Some lines for people."""
    lines = [
        f"run {told['run']} of {told['runbook']} is {spoken(told['status'])} on {told['host']}, started by {told['by']}"
    ]
    lines += [told["reason"]] if told["reason"] else []
    for task in told["tasks"]:
        name = task["step"] if task["target"] is None else f"{task['step']}[{task['target']}]"
        lines.append(f"{name}: {spoken(task['status'])}" + (f" ({task['reason']})" if task["reason"] else ""))
    if told["more_tasks"]:
        lines.append(f"and {told['more_tasks']} more")
    lines += [f"head {told['head']}"] if told["head"] else []
    return "\n".join([*lines, told["next"]])
