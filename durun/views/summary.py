"""What happened, and what to type next: the end of every `run` and `resume`, and the head of `show`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from durun.model.state import RunState
from durun.model.status import DRIVEN, TASK_STATUSES, RunStatus, TaskStatus, spoken
from durun.model.task import ROLLBACK, RunRecord, TaskKey, TaskState, undo_key
from durun.model.values import Json
from durun.views.people import answers, asked_lines, task_words
from durun.views.text import (
    counted,
    counts_text,
    duration,
    harmless,
    local_time,
    one_line,
    task_name,
    value_text,
    wrapped,
)
from durun.views.why import reason_text

LastWords = Callable[[RunState], Mapping[TaskKey, str]]
"""Tells what the steps that did not go well said last."""
SHOWN = 10
"""How many failures or doubts are listed one by one."""

_ORDER: tuple[TaskStatus, ...] = (
    "succeeded", "skipped", "rolled_back", "failed", "in_doubt", "cancelled", "running", "waiting", "pending"
)  # fmt: skip

BAD: tuple[TaskStatus, ...] = ("in_doubt", "failed", "cancelled")
"""What is listed first, worst first."""


def headline(record: RunRecord, status: RunStatus) -> str:
    """`run 01J… of NAME succeeded in 12s: 5 succeeded`."""
    took = duration(record.ended_at - record.created_at) if record.ended_at is not None else ""
    verb = {"running": "is running", "pending": "is pending", "waiting": "is waiting", "in_doubt": "is in doubt"}
    said = verb.get(status, spoken(status))
    return f"run {record.id} of {record.runbook} {said}{f' after {took}' if took else ''}: {spoken_counts(record)}"


def spoken_counts(record: RunRecord) -> str:
    """`3 succeeded, 1 failed, 2 pending`: what went well, what did not, what is to come."""
    found = all_counts(record)
    return counts_text((status, found[status]) for status in _ORDER) or "no tasks"


def all_counts(record: RunRecord) -> dict[TaskStatus, int]:
    """Tasks by status, in the order of the words, `pending` included."""
    found = {**record.counts, "pending": record.pending}
    return {status: found.get(status, 0) for status in TASK_STATUSES}


def troubles(
    tasks: Mapping[TaskKey, TaskState], limit: int = SHOWN, said: Mapping[TaskKey, str] | None = None
) -> list[str]:
    """The doubts and failures, one a line, at most `limit` of each kind. `said`: what their steps said last."""
    lines: list[str] = []
    for status in BAD:
        found = [(key, task) for key, task in tasks.items() if task.status == status]
        lines += (trouble(key, task, (said or {}).get(key, "")) for key, task in found[:limit])
        if len(found) > limit:
            lines.append(f"… and {len(found) - limit} more {spoken(status)}")
    return lines


def trouble(key: TaskKey, task: TaskState, said: str = "") -> str:
    """`step[target] in doubt: why: the last line that it wrote`."""
    reason = one_line(task.reason)
    told = task.pid is None or f"process {task.pid}" in reason
    alive = "" if told else f" (its process {task.pid} lives on)"
    why = reason_text(task, said)
    return f"{task_name(key)} {spoken(task.status)}{why and f': {why}'}{alive}"


def next_commands(run_id: str, status: RunStatus, tasks: Mapping[TaskKey, TaskState]) -> list[str]:
    """The commands that an operator would type now; the first is the likeliest."""
    doubts = [key for key, task in tasks.items() if task.status == "in_doubt"]
    failed = [key for key, task in tasks.items() if task.status == "failed" and task.attempt and task.attempt.folder]
    if status == "rollback_failed":
        failed = [key for key in failed if key.step.endswith(ROLLBACK)]
    if status == "in_doubt" and doubts:
        return [
            logs_command(run_id, doubts[0]),
            f'durun settle {run_id} {task_words(doubts[0])} --done|--not-done|--failed --reason "…"',
        ]
    if status in ("failed", "rollback_failed"):
        return [*([logs_command(run_id, failed[0])] if failed else []), f"durun resume {run_id}"]
    if status == "waiting" and (commands := answers(run_id, tasks)):
        return commands
    if status in ("interrupted", "in_doubt", "waiting"):
        return [f"durun resume {run_id}"]
    if status in ("running", "pending"):
        return [f"durun logs {run_id} -f"]
    return []


def logs_command(run_id: str, key: TaskKey) -> str:
    """The command that prints what the task wrote."""
    return f"durun logs {run_id} {task_words(key)}"


def closing(
    state: RunState,
    status: RunStatus,
    exit_code: int | None = None,
    head: str = "",
    width: int | None = None,
    last_words: LastWords | None = None,
) -> list[str]:
    """The lines at the end: what happened, what is wrong or stands, the outputs, the head to keep, what is next.

    With `width`, what is to be read is broken between words, and what is to be copied is not.
    """
    record, tasks = state.record, state.tasks
    lines = [headline(record, status)]
    if record.reason and status not in ("succeeded", "in_doubt"):
        lines.append(f"  {one_line(record.reason)}")
    wrong = any(state.record.counts.get(one) for one in ("failed", "in_doubt"))
    lines += (f"  {line}" for line in troubles(tasks, said=last_words(state) if last_words and wrong else None))
    if status == "waiting":
        lines += (f"  {line}" for line in asked_lines(tasks, state.created.by))
    if status == "in_doubt" and record.cancel_requested:
        lines.append("  cancel was asked for: when every doubt is settled, it ends cancelled")
    lines += (f"  {line}" for line in (*stands(state), *open_privileges(state)))
    lines = [wrapped(line, width) for line in lines]
    lines += outputs(record.outputs)
    if head and status != "interrupted":
        lines.append(f"  head {head}")
    lines += following(next_commands(record.id, status, tasks))
    if exit_code in (130, 143) and any(task.status == "running" for task in tasks.values()):
        lines.append("  running steps go on; resume adopts what they did")
    return lines


def stands(state: RunState) -> list[str]:
    """A line for each effect that a rollback has left, at most so many."""
    lines = [f"{task_name(key)} still stands: {_why(state, key)}" for key in state.standing[:SHOWN]]
    left = len(state.standing) - len(lines)
    return [*lines, f"… and {left} more still stand"] if left else lines


_BECAME: Mapping[TaskStatus, str] = {
    "failed": "its rollback failed",
    "cancelled": "its rollback was cancelled",
    "in_doubt": "its rollback is in doubt",
}


def open_privileges(state: RunState) -> list[str]:
    """A line for each privilege that is open, at most so many; none while the run is at work."""
    if not state.record.privileged or state.record.status in DRIVEN:
        return []
    found = {key: task.closes_at for key, task in state.tasks.items() if task.closes_at is not None}
    lines = [
        f"the privilege of {task_name(key)} is open, at the latest until {local_time(closes_at)}: durun reap"
        for key, closes_at in list(found.items())[:SHOWN]
    ]
    left = len(found) - len(lines)
    return [*lines, f"… and {left} more are open"] if left else lines


def _why(state: RunState, key: TaskKey) -> str:
    rollback = state.tasks.get(undo_key(key))
    if rollback is None:
        return "it is in doubt" if state.tasks[key].status == "in_doubt" else "it has no rollback"
    return _BECAME.get(rollback.status, "its rollback has not run")


def outputs(values: Mapping[str, Json]) -> list[str]:
    """Outputs, one a line."""
    return [f"  {one_line(name)} = {one_line(value_text(value))}" for name, value in values.items()]


def seals(sealed: Mapping[str, Json]) -> list[str]:
    """Secret outputs, one a line: equal values have equal fingerprints."""
    return [f"  {one_line(name)} = *** (sealed; {seal['fingerprint'][:12]})" for name, seal in sealed.items()]


def following(commands: Iterable[str]) -> list[str]:
    """The next commands as they are shown."""
    return [f"  {'next:' if number == 0 else '     '} {harmless(command)}" for number, command in enumerate(commands)]


def ran_for(record: RunRecord, now: float) -> float:
    """Seconds from the start to the end, or to now."""
    return (record.ended_at if record.ended_at is not None else now) - record.created_at


def tasks_text(record: RunRecord) -> str:
    """`12 tasks: 10 succeeded, 2 failed`."""
    return f"{counted(record.total, 'task')}: {spoken_counts(record)}"
