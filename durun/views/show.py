"""One run in full: where it stands, what it waits for, what to type next, and its tasks, the troubles first.

Readable with 10,000 targets: a fan-out is one line with counts; below it stand only those that need a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durun.model.event import Stamped
from durun.model.evidence import Evidence, evidence_of
from durun.model.state import RunState
from durun.model.status import FINAL, RunStatus, spoken
from durun.model.task import RunRecord, TaskState
from durun.model.values import Json
from durun.views.people import asked_lines, question_json
from durun.views.steps import LISTED, Shown, standing, steps_lines, steps_of
from durun.views.summary import (
    following,
    next_commands,
    open_privileges,
    outputs,
    ran_for,
    stands,
    tasks_text,
)
from durun.views.text import (
    counted,
    duration,
    local_time,
    one_line,
    size,
    value_text,
    wrapped,
)
from durun.views.why import why_text
from durun.views.words import line_of


def show_text(shown: Shown, width: int | None = None, colours: bool = False) -> str:
    """The whole text, in lines that fit into `width`; but for commands, which are to be copied."""
    lines = _lines(shown, width)
    return "".join(f"{line}\n" for line in (_painted(shown, lines) if colours else lines))


def _painted(shown: Shown, lines: Sequence[str]) -> Iterator[str]:
    """The run's status, and those of steps and targets, which stand below the first empty line."""
    from durun.views.colours import with_first_status, with_status  # off a terminal nobody pays for it

    below = False
    for line in lines:
        below = below or not line
        yield (
            with_first_status(line) if below else with_status(line, shown.status, 11) if line[:7] == "status " else line
        )


def _lines(shown: Shown, width: int | None) -> list[str]:
    state, status, every = shown.state, shown.status, shown.every
    lines = [*_facts(shown), *(f"  {line}" for line in (*stands(state), *open_privileges(state)))]
    lines += outputs(state.record.outputs)
    lines += _until(state, status)
    lines += following(next_commands(state.record.id, status, state.tasks))
    steps = steps_of(shown)
    lines.append("")
    lines += steps_lines(steps, shown)
    named = [(step, state.resolved.get((step, 0))) for step in shown.to_come[:LISTED]]
    for step, fan in named:
        many = f"  {counted(len(fan.index), 'target')}" if fan is not None else ""
        lines.append(f"  {standing('pending', shown)}{one_line(step)}{many}")
    told = sum(1 if fan is None else len(fan.index) for _, fan in named)
    lines += _left(shown, told + sum(step.pending for step in steps))
    in_order = (member for step in steps for member in step.members)
    lines += _evidence_lines(list(evidence_of(in_order)), every)
    return [_broken(line, width) for line in lines[: None if lines[-1] else -1]]


def _until(state: RunState, status: RunStatus) -> list[str]:
    """Before which time nothing more can be done, where only a time is waited for."""
    waits = [task.waiting for task in state.tasks.values() if task.status == "waiting" and task.waiting is not None]
    dues = [waiting.due for waiting in waits if waiting.asked is None and waiting.due is not None]
    if status != "waiting" or not dues or len(dues) < len(waits):
        return []
    return [f"  there is nothing to do before {local_time(min(dues))}"]


def _left(shown: Shown, told: int) -> list[str]:
    """The tasks that nothing has happened to and that are not named above."""
    left = shown.state.record.pending - told
    if shown.every or left <= 0:
        return []
    never = shown.status in FINAL
    what = counted(left, "more task" if told else "task")
    return [f"  {standing('pending', shown)}{what} {'that never began' if never else 'to come'}"]


def _broken(line: str, width: int | None) -> str:
    if line.lstrip().startswith(("next:", "durun ")) or line.startswith("head "):
        return line
    return wrapped(line, width, None if line.startswith(" ") else 11 if width is None or width >= 60 else 4)


def _evidence_lines(pieces: Sequence[Evidence], every: bool) -> list[str]:
    """Each piece with its SHA-256: `sha256sum` gives the same of the file of that name in the run's `evidence/`."""
    if not pieces:
        return []
    shown = pieces if every else pieces[:LISTED]
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
    lines = [(name, f"{name:<11}{one_line(text)}") for name, text in facts if text]
    last = next(name for name, _ in reversed(lines[:4]) if name in ("why", "status"))
    asked = [] if over else asked_lines(shown.state.tasks, created.by, alone=False)
    left = 9 if asked and asked[0].startswith(" ") else 11
    return [told for name, line in lines for told in (line, *(f"{'':{left}}{one}" for one in asked if name == last))]


def _group(record: RunRecord) -> str:
    if record.concurrency_group is None:
        return ""
    without = not record.holds_group and record.status not in FINAL
    return record.concurrency_group + (" (not held)" if without else "")


def events_text(events: Iterable[Stamped], width: int | None = None) -> str:
    """The list of events, oldest first, in lines that fit into `width`."""
    indent = 29 if width is None or width >= 60 else 8
    lines = (f"{number:>6}  {local_time(at)}  {line_of(event).text}" for number, at, event in events)
    return "".join(f"{wrapped(line, width, indent)}\n" for line in lines)


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
