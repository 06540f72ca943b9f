"""The steps of a run and their tasks, the troubles first: a fan-out is one line with counts, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from durun.model.state import RunState
from durun.model.status import TASK_STATUSES, WORST_FIRST, RunStatus, TaskStatus, spoken
from durun.model.task import TaskKey, TaskState
from durun.model.tuples import NamedTuple
from durun.views.summary import BAD, outputs, seals
from durun.views.text import counted, counts_text, duration, local_time, one_line, pad, task_name
from durun.views.why import Why, reason_text

LISTED = 10
"""How many targets of each kind of trouble are listed below a fan-out."""
_STEPS, _KEPT = 30, 4
"""How many steps are listed one by one whatever they did, and how many of a row of them that went well."""
_REASONS = 5
"""How many reasons are told of those that are not listed."""

_LISTED_AT_WORK = 5
"""How many targets that run or wait are listed below a fan-out, those that began first."""
_AT_WORK: tuple[TaskStatus, ...] = ("running", "waiting")

Tasks = Mapping[TaskKey, TaskState]


class Shown(NamedTuple):
    """What is shown of a run. `tasks` are those to show, `to_come` the steps that have not begun to be named.

    `every`: list each target, not only the troubles. `target`: the only one to show. `head`: the digest of the
    register's newest entry about the run. `column`: how wide the first column is.
    """

    state: RunState
    status: RunStatus
    tasks: Tasks
    now: float
    why: Why = Why()
    to_come: Sequence[str] = ()
    every: bool = False
    head: str = ""
    target: str | None = None
    column: int = 11


def column_of(tasks: Tasks) -> int:
    """The width in which every status of the tasks has room."""
    return 13 if any(task.status == "rolled_back" for task in tasks.values()) else 11


def by_step(tasks: Tasks) -> dict[str, list[tuple[TaskKey, TaskState]]]:
    """The tasks of each step; the steps in the order in which they first began."""
    steps: dict[str, list[tuple[TaskKey, TaskState]]] = {}
    for key, task in tasks.items():
        steps.setdefault(key.step, []).append((key, task))
    began = {step: min(_began(task) for _, task in members) for step, members in steps.items()}
    return {step: steps[step] for step in sorted(steps, key=lambda step: began[step])}


def _began(task: TaskState) -> tuple[float, int]:
    first = task.attempts[0] if task.attempts else None
    return (first.started_at, first.folder) if first else (task.changed_at, 0)


def steps_of(shown: Shown) -> list[Step]:
    """The steps to show, in the order in which they first began."""
    found = by_step(shown.tasks).items()
    return [Step(one_line(step), members, _total_of(shown, members)) for step, members in found]


def steps_lines(steps: Sequence[Step], shown: Shown) -> Iterator[str]:
    """The lines for them; of long rows of steps that went well the ends."""
    longest = max((len(step.name) for step in steps), default=0)
    for near in [[step] for step in steps] if shown.every or len(steps) <= _STEPS else _in_rows(steps):
        yield from _step_lines(near[0], longest, shown) if len(near) == 1 else [_folded(near, shown)]


class Step(NamedTuple):
    """One step's tasks, and how many targets it has."""

    name: str
    members: Sequence[tuple[TaskKey, TaskState]]
    total: int

    @property
    def targets(self) -> list[tuple[TaskKey, TaskState]]:
        """The tasks for targets: without the one that stood for them as long as they were not known."""
        return [(key, task) for key, task in self.members if key.target is not None]

    @property
    def pending(self) -> int:
        """How many of its tasks are counted as pending in its line."""
        return self.total - len(self.targets) + sum(task.status == "pending" for _, task in self.members)


def _in_rows(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The steps, one by one; but those that went well and stand between such ones together."""
    quiet: list[Step] = []
    for step in steps:
        if all(task.status in ("succeeded", "skipped") for _, task in step.members):
            quiet.append(step)
            continue
        yield from _kept(quiet)
        quiet = []
        yield [step]
    yield from _kept(quiet)


def _kept(quiet: list[Step]) -> Iterator[list[Step]]:
    """All but the ends of a row of quiet steps, together, where that saves lines."""
    if len(quiet) <= _KEPT:
        yield from ([step] for step in quiet)
    else:
        yield [quiet[0]]
        yield quiet[1:-1]
        yield [quiet[-1]]


def _folded(steps: Sequence[Step], shown: Shown) -> str:
    """`succeeded  … 180 steps, second to last`: their tasks that went well."""
    counts = Counter(task.status for step in steps for key, task in step.members)
    said = counts_text((status, counts[status]) for status in TASK_STATUSES)
    return f"  {standing('succeeded', shown)}… {len(steps)} steps, {steps[0].name} to {steps[-1].name}: {said}"


def _step_lines(step: Step, width: int, shown: Shown) -> Iterable[str]:
    every = shown.every
    (first, task), targets = step.members[0], step.targets
    if len(step.members) == 1 and first.target is None:
        return [f"  {_task_line(step.name, width, first, task, shown)}"]
    counts = Counter(task.status for _, task in targets)
    counts["pending"] += step.total - len(targets)
    worst = next((status for status in WORST_FIRST if counts[status] and status != "skipped"), "succeeded")
    in_order = ((status, counts[status]) for status in (*TASK_STATUSES[1:], "pending"))
    said = f"{counted(step.total, 'target')}: {counts_text(in_order)}"
    lines = [f"  {standing(worst, shown)}{pad(step.name, width)}  {said}"]
    listed = (*BAD, *_AT_WORK)
    for status in listed:
        found = [(key, task) for key, task in targets if task.status == status]
        if status in _AT_WORK:  # those that have been at it for the longest may hang
            found.sort(key=lambda one: _began(one[1]))
        most = len(found) if every else LISTED if status in BAD else _LISTED_AT_WORK
        lines += (f"    {_task_line(task_name(key), 0, key, task, shown)}" for key, task in found[:most])
        if len(found) > most:
            lines.append(f"    … {len(found) - most} more {spoken(status)}{_reasons(found)}: --step {step.name}")
    if every:
        rest = [(key, task) for key, task in targets if task.status not in listed]
        lines += (f"    {_task_line(task_name(key), 0, key, task, shown)}" for key, task in rest)
    return lines


def _reasons(found: Sequence[tuple[TaskKey, TaskState]]) -> str:
    """` (of all, 2000 exit code 7, 981 timed out)`, the commonest first; empty where all have the same."""
    counts: dict[str, int] = {}
    for _, task in found:
        counts[task.reason] = counts.get(task.reason, 0) + 1
    if len(counts) < 2:
        return ""
    most = sorted(counts.items(), key=lambda one: -one[1])
    told = [f"{number} × {one_line(reason) or 'no reason'}" for reason, number in most[:_REASONS]]
    rest = sum(number for _, number in most[_REASONS:])
    return f" (of all: {', '.join(told)}{f', {rest} others' if rest else ''})"


def standing(status: str, shown: Shown) -> str:
    """The first column."""
    return pad(spoken(status), shown.column)


def _task_line(name: str, width: int, key: TaskKey, task: TaskState, shown: Shown) -> str:
    """`succeeded  step  2.1s  (adopted)`."""
    attempt = task.attempt
    details = []
    if attempt is not None:
        details.append(duration((attempt.ended_at or shown.now) - attempt.started_at))
        if len(task.attempts) > 1:
            details.append(f"{len(task.attempts)} attempts")
    if task.how not in (None, "ran"):
        details.append(f"({task.how})")
    if task.waiting is not None and task.waiting.until is not None:
        details.append(f"until {local_time(task.waiting.until)}")
    if task.reason and (task.status != "succeeded" or not task.attempts):
        details.append(reason_text(task, shown.why.said.get(key, "")))
    if task.waiting is not None and task.waiting.times:
        details.append(f"asked {counted(task.waiting.times, 'time')}")
    if task.pid is not None:
        details.append(f"process {task.pid} lives on")
    return f"{standing(task.status, shown)}{pad(name, width)}  {'  '.join(details)}".rstrip()


def attempts_text(tasks: Tasks) -> str:
    """Every attempt and output of a few tasks."""
    lines = []
    for key, task in tasks.items():
        lines += ["", task_name(key)]
        for attempt in task.attempts:
            took = duration(attempt.ended_at - attempt.started_at) if attempt.ended_at is not None else "not ended"
            code = "" if attempt.exit_code is None else f"exit code {attempt.exit_code}"
            why = one_line(attempt.reason)
            code, why = f"  {code}" if code not in why else "", f"  {why}" if why else ""
            began = local_time(attempt.started_at)
            plugin = f"  by {attempt.plugin}" if attempt.plugin else ""
            lines.append(f"  attempt {attempt.number}  {spoken(attempt.status)}  {began}  {took}{plugin}{code}{why}")
        lines += [*outputs(task.outputs), *seals(task.sealed)]
    return "\n".join(lines) + "\n" if lines else ""


def _total_of(shown: Shown, members: Sequence[tuple[TaskKey, TaskState]]) -> int:
    """How many targets a step has: as many as were found for it, or as have begun where that is not known of it."""
    key = members[0][0]
    resolved = shown.state.resolved.get((key.step, key.round))
    begun = sum(key.target is not None for key, _ in members)
    return begun if resolved is None or shown.target is not None else max(begun, len(resolved.index))
