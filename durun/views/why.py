"""Why a run stands where it stands, in one line: what failed first, what is in doubt, what it waits for, since when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from durun.model.clock import to_iso
from durun.model.people import conclusion, wanted
from durun.model.status import DRIVEN, RunStatus, TaskStatus, spoken
from durun.model.task import ROLLBACK, RunRecord, TaskKey, TaskState, Waiting
from durun.model.tuples import NamedTuple
from durun.model.values import Json
from durun.views.text import counted, one_line, task_name

Tasks = Sequence[tuple[TaskKey, TaskState]]
When = Callable[[float], str]
"""How a time is written."""

_NAMED = 2
"""How many steps are told of in one line."""

_ABOUT: dict[RunStatus, TaskStatus] = {
    "in_doubt": "in_doubt",
    "waiting": "waiting",
    "running": "running",
    "interrupted": "running",
    "rolling_back": "failed",
    "succeeded": "failed",
    "failed": "failed",
    "cancelled": "failed",
    "rolled_back": "failed",
    "rollback_failed": "failed",
}
"""The tasks that explain a run of this status."""


class Why(NamedTuple):
    """`reason`: what the run as a whole has to say. `tasks`: those that explain it, of each step the first.

    `yours`: of the tasks that wait for people, those that whoever asks may decide or do. `said`: the last line that a
    task wrote to stderr.
    """

    reason: str = ""
    tasks: Tasks = ()
    yours: Collection[TaskKey] = ()
    said: Mapping[TaskKey, str] = {}


def explaining(record: RunRecord, status: RunStatus, notable: Tasks) -> Tasks:
    """The tasks that explain where the run stands. `notable`: see `durun.model.state.notable`."""
    wanted = _ABOUT.get(status)
    tasks = [(key, task) for key, task in notable if task.status == wanted and key.round in (0, record.round)]
    if status == "rollback_failed":
        tasks.sort(key=lambda found: not found[0].step.endswith(ROLLBACK))
    return tasks


def why_of(
    record: RunRecord,
    status: RunStatus,
    tasks: Tasks,
    yours: Collection[TaskKey] = (),
    said: Mapping[TaskKey, str] | None = None,
) -> Why:
    """What explains where the run stands, by its tasks that do."""
    # What a parked run says of itself names its tasks, which are better asked themselves.
    reason = "" if status in ("waiting", "in_doubt") and tasks else record.reason
    if status == "in_doubt" and not record.counts.get("in_doubt"):
        reason = "every doubt is settled, and it has not gone on yet"
    if status == "interrupted":
        reason = reason or "nobody drives it any more"
    return Why(reason, tasks, yours, said or {})


def why_text(record: RunRecord, status: RunStatus, why: Why, when: When) -> str:
    """One line; empty where there is nothing to explain."""
    parts = [one_line(why.reason)] if why.reason else []
    parts += (_task_text(key, task, why, when) for key, task in _named(why.tasks, status))
    about = _ABOUT.get(status)
    left = record.counts.get(about, 0) - min(len(why.tasks), _NAMED) if about else 0
    if why.tasks and left > 0:
        parts.append(f"and {left} more")
    if record.privileged and status not in DRIVEN:
        open_ = "1 privilege is" if record.privileged == 1 else f"{record.privileged} privileges are"
        parts.append(f"{open_} open: durun reap")
    return "; ".join(parts)


def _named(tasks: Tasks, status: RunStatus) -> Tasks:
    """Those that are told of: the first, and the next one; of failures the last, which may be the one that mattered.

    What failed before it, the run went on after. A failure of `finally` ends nothing.
    """
    if len(tasks) <= _NAMED or _ABOUT.get(status) != "failed":
        return tasks[:_NAMED]
    of_steps = [found for found in tasks if found[0].round == 0]
    return [tasks[0], of_steps[-1] if len(of_steps) > 1 else tasks[-1]]


def reason_text(task: TaskState, said: str) -> str:
    """Why a task stands as it does, with what it said last where that says more: a worker of durun says the same."""
    more = said if said.removeprefix("durun: ") not in task.reason else ""
    return ": ".join(one_line(text) for text in (task.reason, more) if text)


def _task_text(key: TaskKey, task: TaskState, why: Why, when: When) -> str:
    name = task_name(key)
    if task.status == "running":
        return f"{name} since {when(task.changed_at)}"
    if task.status == "waiting" and task.waiting is not None:
        return f"{name} {_waits(task, task.waiting, key in why.yours, when)}"
    reason = reason_text(task, why.said.get(key, "")) or spoken(task.status)
    since = f" (since {when(task.changed_at)})" if task.status == "in_doubt" else ""
    return f"{name}: {reason}{since}"


def _waits(task: TaskState, waiting: Waiting, yours: bool, when: When) -> str:
    """`waits since … until … for approval by alice, bob (you may)`."""
    if waiting.decisions and (end := conclusion(waiting, 0.0)) is not None:
        return f"was {one_line(end.reason)}; it has not gone on yet"
    since = "" if waiting.times or waiting.decisions else f" since {when(task.changed_at)}"
    until = "" if waiting.until is None else f" until {when(waiting.until)}"
    if waiting.kind == "approval":
        approvers = one_line(", ".join(waiting.asked["approvers"]))
        given = f", {len(waiting.decisions)} of {wanted(waiting)} given" if wanted(waiting) > 1 else ""
        return f"waits{since}{until} for approval by {approvers}{given}{' (you may)' if yours else ''}"
    if waiting.kind == "manual":
        text = waiting.asked["instructions"].strip().partition("\n")[0]
        return f"waits{since}{until} for somebody to do it: {one_line(text)}"
    if waiting.kind == "poll":
        said = f" ({one_line(task.reason)})" if task.reason else ""
        return f"is not so yet{said}, asked {counted(waiting.times, 'time')}, waits{until or ' for it'}"
    return f"waits{since}{until}"


def why_json(record: RunRecord, status: RunStatus, why: Why) -> dict[str, Json]:
    """The same as data: the run's own `reason`, `why` in one line, and `because` of which tasks."""
    return {
        "reason": record.reason,
        "why": why_text(record, status, why, to_iso),
        "because": [_task_json(key, task, why) for key, task in why.tasks],
    }


def _task_json(key: TaskKey, task: TaskState, why: Why) -> dict[str, Json]:
    waiting = task.waiting
    found: dict[str, Json] = {
        "step": key.step,
        "target": key.target,
        "status": task.status,
        "reason": task.reason,
        "said": why.said.get(key, ""),
        "changed_at": to_iso(task.changed_at),
    }
    if waiting is not None and task.status == "waiting":
        found |= {
            "kind": waiting.kind,
            "until": None if waiting.until is None else to_iso(waiting.until),
            "approvers": waiting.asked.get("approvers", []) if waiting.asked is not None else [],
            "for_you": key in why.yours,
        }
    return found
