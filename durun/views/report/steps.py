"""The steps of a report: each with what it does, how it stands, and its targets, what went wrong first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durun.model.clock import to_iso
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.status import TASK_STATUSES, WORST_FIRST, spoken
from durun.model.task import TaskKey, TaskState
from durun.views.doing import does
from durun.views.text import counted, counts_text, duration, one_line

MOST_BAD, MOST_GOOD = 200, 2000
"""How many targets of a step are listed that need a look, and that do not."""
_BAD = frozenset({"in_doubt", "failed", "cancelled"})

Tasks = Sequence[tuple[TaskKey, TaskState]]


class TaskRow(NamedTuple):
    """One task of a step."""

    name: str
    status: str
    said: str
    attempts: int
    began: str
    took: str
    why: str


class Same(NamedTuple):
    """Targets for which the same went wrong."""

    said: str
    why: str
    number: int


class Listed(NamedTuple):
    """One step. `bad` and `others` are its tasks; `rest` says how many others there are, `more` what is not listed."""

    id: str
    name: str
    about: str
    does: str
    controls: tuple[str, ...]
    status: str
    said: str
    fanned: bool
    same: list[Same]
    bad: list[TaskRow]
    others: list[TaskRow]
    rest: str
    more: str


def steps_of(runbook: Runbook, state: RunState, now: float) -> list[Listed]:
    """Every step that does something, in the order of the file, and those that a changed runbook has no more."""
    members = _members(state.tasks)
    known = {step.id: step for step in runbook.every_step()}
    leaves = [*(step for step in known.values() if not step.steps), *_rolled_back(runbook, members)]
    found = [_listed(step, members.pop(step.id, []), now) for step in leaves]
    gone = [_listed(Step(name, 0), tasks, now) for name, tasks in members.items() if name not in known]
    return found + gone


def _rolled_back(runbook: Runbook, members: Mapping[str, object]) -> list[Step]:
    """The rollbacks that were begun."""
    return [step for step in runbook.rollbacks() if step.id in members]


def _members(tasks: Mapping[TaskKey, TaskState]) -> dict[str, list[tuple[TaskKey, TaskState]]]:
    members: dict[str, list[tuple[TaskKey, TaskState]]] = {}
    for key, task in tasks.items():
        members.setdefault(key.step, []).append((key, task))
    return members


def looks_of(runbook: Runbook, state: RunState) -> dict[str, tuple[str, str]]:
    """The status of each step and group, and it in words."""
    members = _members(state.tasks)
    found: dict[str, tuple[str, str]] = {}
    for step in reversed(runbook.every_step()):
        if step.steps:
            inside = {found[inner.id][0] for inner in step.steps}
            status = next((one for one in WORST_FIRST if one in inside), "pending")
            found[step.id] = (status, spoken(status))
        else:
            found[step.id] = standing(members.get(step.id, []))
    return found


def standing(tasks: Tasks) -> tuple[str, str]:
    """The worst status of some tasks, and how many have which."""
    if not tasks:
        return "pending", spoken("pending")
    counts = Counter(task.status for _, task in tasks)
    status = next(one for one in WORST_FIRST if counts.get(one))
    if len(tasks) == 1:
        return status, spoken(status)
    return status, counts_text((one, counts[one]) for one in TASK_STATUSES)


def _listed(step: Step, tasks: Tasks, now: float) -> Listed:
    status, said = standing(tasks)
    bad = [entry for entry in tasks if entry[1].status in _BAD]
    good = [entry for entry in tasks if entry[1].status not in _BAD]
    hidden = max(0, len(bad) - MOST_BAD) + max(0, len(good) - MOST_GOOD)
    fanned = any(key.target is not None for key, _ in tasks)
    return Listed(
        id=step.id,
        name=step.name,
        about=step.description,
        does=does(step),
        controls=step.controls,
        status=status,
        said=said,
        fanned=fanned,
        same=_same(bad) if fanned and len(bad) > 1 else [],
        bad=[_row(key, task, now) for key, task in bad[:MOST_BAD]],
        others=[_row(key, task, now) for key, task in good[:MOST_GOOD]],
        rest=_rest(len(good), bool(bad)),
        more=f"and {counted(hidden, 'more target')}: durun show RUN --step {step.id}" if hidden else "",
    )


def _rest(number: int, others: bool) -> str:
    said = counted(number, "other target" if others else "target")
    return said if number <= MOST_GOOD else f"{said}, of which the first {MOST_GOOD} are listed"


def _same(bad: Tasks) -> list[Same]:
    """The commonest first."""
    counts = Counter((spoken(task.status), one_line(task.reason)) for _, task in bad)
    return [Same(said, why, count) for (said, why), count in counts.most_common(20)]


def _row(key: TaskKey, task: TaskState, now: float) -> TaskRow:
    first, last = (task.attempts[0], task.attempts[-1]) if task.attempts else (None, None)
    took = duration((last.ended_at or now) - first.started_at) if first and last else ""
    how = f" ({task.how})" if task.how not in (None, "ran") else ""
    again = f", round {key.round}" if key.round > 1 else ""
    return TaskRow(
        name=f"{key.step if key.target is None else key.target}{again}",
        status=task.status,
        said=spoken(task.status) + how,
        attempts=len(task.attempts),
        began=to_iso(first.started_at) if first else "",
        took=took,
        why="" if task.status == "succeeded" and not task.reason else one_line(task.reason),
    )
