"""One run in full: where it stands, what it waits for, what to type next, and its tasks, the troubles first.

Readable with 10,000 targets: a fan-out is one line with counts; below it stand only those that need a look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from durun.model.event import Stamped
from durun.model.evidence import Evidence, evidence_of
from durun.model.state import RunState
from durun.model.status import FINAL, TASK_STATUSES, RunStatus, TaskStatus
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.values import Json
from durun.views.people import asked_lines, question_json
from durun.views.summary import (
    BAD,
    following,
    next_commands,
    open_privileges,
    outputs,
    ran_for,
    seals,
    stands,
    tasks_text,
)
from durun.views.text import (
    counted,
    counts_text,
    duration,
    local_time,
    one_line,
    pad,
    size,
    spoken,
    task_name,
    value_text,
    wrapped,
)
from durun.views.why import Why, reason_text, why_text
from durun.views.words import line_of

_LISTED = 10
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
    register's newest entry about the run.
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


def show_text(shown: Shown, width: int | None = None) -> str:
    """The whole text, in lines that fit into `width`; but for commands, which are to be copied."""
    state, status, every = shown.state, shown.status, shown.every
    lines = [*_facts(shown), *(f"  {line}" for line in (*stands(state), *open_privileges(state)))]
    lines += outputs(state.record.outputs)
    if status not in FINAL:
        lines += (f"  {line}" for line in asked_lines(state.tasks, alone=False))
    lines += _until(state, status)
    lines += following(next_commands(state.record.id, status, state.tasks))
    steps = [_Step(one_line(step), members, _total(shown, members)) for step, members in by_step(shown.tasks).items()]
    lines.append("")
    longest = max((len(step.name) for step in steps), default=0)
    for near in [[step] for step in steps] if every or len(steps) <= _STEPS else _runs_of_quiet(steps):
        lines += _step_lines(near[0], longest, shown) if len(near) == 1 else [_folded(near)]
    lines += (f"  {_standing('pending')}{one_line(step)}" for step in shown.to_come[:_LISTED])
    lines += _left(shown, sum(step.pending for step in steps))
    in_order = (member for step in steps for member in step.members)
    lines += _evidence_lines(list(evidence_of(in_order)), every)
    return "".join(f"{_broken(line, width)}\n" for line in lines[: None if lines[-1] else -1])


def _until(state: RunState, status: RunStatus) -> list[str]:
    """Before which time nothing more can be done, where only a time is waited for."""
    waits = [task.waiting for task in state.tasks.values() if task.status == "waiting" and task.waiting is not None]
    dues = [waiting.due for waiting in waits if waiting.asked is None and waiting.due is not None]
    if status != "waiting" or not dues or len(dues) < len(waits):
        return []
    return [f"  there is nothing to do before {local_time(min(dues))}"]


def _total(shown: Shown, members: Sequence[tuple[TaskKey, TaskState]]) -> int:
    """How many targets a step has: as many as were found for it, or as have begun where that is not known of it."""
    key = members[0][0]
    resolved = shown.state.resolved.get((key.step, key.round))
    begun = sum(key.target is not None for key, _ in members)
    return begun if resolved is None or shown.target is not None else max(begun, len(resolved.index))


def _left(shown: Shown, told: int) -> list[str]:
    """The tasks that nothing has happened to and that are not named above."""
    named = shown.to_come[:_LISTED]
    left = shown.state.record.pending - len(named) - told
    if shown.every or left <= 0:
        return []
    never = shown.status in FINAL
    what = counted(left, "more task" if named or told else "task")
    return [f"  {_standing('pending')}{what} {'that never began' if never else 'to come'}"]


def _broken(line: str, width: int | None) -> str:
    if line.lstrip().startswith(("next:", "durun ")) or line.startswith("head "):
        return line
    return wrapped(line, width, None if line.startswith(" ") else 11 if width is None or width >= 60 else 4)


def _evidence_lines(pieces: Sequence[Evidence], every: bool) -> list[str]:
    """Each piece with its SHA-256: `sha256sum` gives the same of the file of that name in the run's `evidence/`."""
    if not pieces:
        return []
    shown = pieces if every else pieces[:_LISTED]
    sizes = [size(piece.size) for piece in shown]
    width = max(map(len, sizes))
    lines = ["", f"evidence: {counted(len(pieces), 'piece')}"]
    for piece, text in zip(shown, sizes, strict=True):
        more = " (redacted)" if piece.redacted else ""
        about = f"{one_line(piece.name)}  of {one_line(str(piece.key))}{more}"
        lines.append(f"  {piece.sha256}  {text:>{width}}  {about}")
    if len(pieces) > len(shown):
        lines.append(f"  … {len(pieces) - len(shown)} more: --step STEP")
    return lines


def not_begun(state: RunState) -> list[str]:
    """The steps to which nothing has happened, and may yet, in file order; none where an older durun left no names."""
    if state.record.status in FINAL:
        return []
    begun = {key.step for key in state.tasks}
    return [step for step in (*state.created.steps, *state.created.finally_steps) if step not in begun]


def _facts(shown: Shown) -> Iterable[str]:
    status, now, (record, created) = shown.status, shown.now, (shown.state.record, shown.state.created)
    user, host = created.by.get("user"), created.by.get("host")
    over = status in FINAL
    took = duration(ran_for(record, now)) if record.ended_at is not None or status == "running" else ""
    facts = [
        ("run", record.id),
        ("runbook", f"{record.runbook} ({created.file})"),
        ("status", spoken(status) + (" (cancel requested)" if record.cancel_requested and not over else "")),
        ("why", why_text(record, status, shown.why, local_time)),
        ("started", f"{local_time(record.created_at)} by {user or '?'} on {host or '?'}"),
        ("ended", local_time(record.ended_at)),
        ("took", took),
        ("request id", record.request_id or ""),
        ("group", _group(record)),
        ("inputs", ", ".join(f"{name}={value_text(value)}" for name, value in created.inputs.items())),
        ("tasks", tasks_text(record)),
        ("head", shown.head),
    ]
    return [f"{name:<11}{one_line(text)}" for name, text in facts if text]


def _group(record: RunRecord) -> str:
    if record.concurrency_group is None:
        return ""
    without = not record.holds_group and record.status not in FINAL
    return record.concurrency_group + (" (not held)" if without else "")


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


class _Step(NamedTuple):
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


def _runs_of_quiet(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """The steps, one by one; but those that went well and stand between such ones together."""
    quiet: list[_Step] = []
    for step in steps:
        if all(task.status in ("succeeded", "skipped") for _, task in step.members):
            quiet.append(step)
            continue
        yield from _kept(quiet)
        quiet = []
        yield [step]
    yield from _kept(quiet)


def _kept(quiet: list[_Step]) -> Iterator[list[_Step]]:
    """All but the ends of a row of quiet steps, together, where that saves lines."""
    if len(quiet) <= _KEPT:
        yield from ([step] for step in quiet)
    else:
        yield [quiet[0]]
        yield quiet[1:-1]
        yield [quiet[-1]]


def _folded(steps: Sequence[_Step]) -> str:
    """`succeeded  … 180 steps, second to last`: their tasks that went well."""
    counts = Counter(task.status for step in steps for key, task in step.members)
    said = counts_text((status, counts[status]) for status in TASK_STATUSES)
    return f"  {_standing('succeeded')}… {len(steps)} steps, {steps[0].name} to {steps[-1].name}: {said}"


def _step_lines(step: _Step, width: int, shown: Shown) -> Iterable[str]:
    every = shown.every
    (first, task), targets = step.members[0], step.targets
    if len(step.members) == 1 and first.target is None:
        return [f"  {_task_line(step.name, width, first, task, shown)}"]
    counts = {status: sum(task.status == status for _, task in targets) for status in TASK_STATUSES}
    counts["pending"] += step.total - len(targets)
    urgent = (*BAD, *_AT_WORK, "pending", "succeeded", "rolled_back")
    worst = next((status for status in urgent if counts.get(status)), "succeeded")
    in_order = ((status, counts[status]) for status in (*TASK_STATUSES[1:], "pending"))
    said = f"{counted(step.total, 'target')}: {counts_text(in_order)}"
    lines = [f"  {_standing(worst)}{pad(step.name, width)}  {said}"]
    listed = (*BAD, *_AT_WORK)
    for status in listed:
        found = [(key, task) for key, task in targets if task.status == status]
        if status in _AT_WORK:  # those that have been at it for the longest may hang
            found.sort(key=lambda one: _began(one[1]))
        most = len(found) if every else _LISTED if status in BAD else _LISTED_AT_WORK
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


def _standing(status: str) -> str:
    """The first column."""
    return f"{pad(spoken(status), 10)} "


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
    return f"{_standing(task.status)}{pad(name, width)}  {'  '.join(details)}".rstrip()


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


def events_text(events: Iterable[Stamped]) -> str:
    """The list of events, oldest first."""
    lines = (f"{number:>6}  {local_time(at)}  {line_of(event).text}\n" for number, at, event in events)
    return "".join(lines)


def _what_for(task: TaskState) -> dict[str, Json]:
    return {"reason": task.reason, **(question_json(task.waiting) if task.waiting is not None else {})}


def waiting_for(state: RunState, status: RunStatus) -> Json:
    """What the run waits for and why; None if it waits for nothing."""
    if status not in ("waiting", "in_doubt"):
        return None
    doubts = [(key, task) for key, task in state.tasks.items() if task.status in ("in_doubt", "waiting")]
    return {
        "reason": state.record.reason,
        "tasks": [{"step": key.step, "target": key.target, **_what_for(task)} for key, task in doubts],
        "next": next_commands(state.record.id, status, state.tasks),
    }
