"""What a decision is about: what is asked, by whom, and what will run on which targets if the answer is yes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durun.model.evidence import evidence_of
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.task import TaskKey, Waiting
from durun.views.doing import briefly
from durun.views.people import question_lines
from durun.views.text import counted, duration, local_time, one_line, some_of, value_text, wrapped

_SHOWN = 20
"""How many targets of a step are named."""


def ahead_text(
    state: RunState, runbook: Runbook, key: TaskKey, waiting: Waiting, now: float, width: int | None = None
) -> str:
    """The whole text, for whoever is to decide, in lines that fit into `width`."""
    record, created = state.record, state.created
    since = state.tasks[key].changed_at
    user, host = created.by.get("login_user") or created.by.get("user"), created.by.get("host")
    step = next((one for one in runbook.every_step() if one.id == key.step), None)
    facts = [
        ("run", f"{record.id} of {record.runbook} ({created.file})"),
        ("asked by", f"{user or '?'} on {host or '?'}"),
        ("since", f"{local_time(since)} ({duration(now - since)})"),
        ("until", local_time(waiting.until) or "no end"),
        ("inputs", ", ".join(f"{name}={value_text(value)}" for name, value in created.inputs.items())),
        ("needs", ", ".join(runbook.requires.privileges)),
        ("controls", ", ".join(dict.fromkeys([*runbook.controls, *(step.controls if step is not None else ())]))),
        ("digest", waiting.asked["digest"][:16]),
    ]
    lines = [*(wrapped(line, width) for line in question_lines(key, waiting, created.by)), ""]
    lines += (wrapped(f"{name:<9}{one_line(text)}", width, 9) for name, text in facts if text)
    lines += _evidence(state)
    lines += ["", "what is to run:", *(wrapped(f"  {line}", width) for line in _to_run(state, runbook, key))]
    return "".join(f"{line}\n" for line in lines)


def _evidence(state: RunState) -> list[str]:
    """What was collected so far, each piece with the beginning of its SHA-256."""
    pieces = list(evidence_of(state.tasks.items()))
    lines = [f"  {one.sha256[:16]}  {one_line(one.name)}" for one in pieces[:_SHOWN]]
    more = [f"  … and {len(pieces) - _SHOWN} more"] if len(pieces) > _SHOWN else []
    return ["", f"evidence: {counted(len(pieces), 'piece')}", *lines, *more] if pieces else []


def _to_run(state: RunState, runbook: Runbook, asked: TaskKey) -> Iterator[str]:
    """A line for each step that is not over, and for the targets for which it, or a step in it, is not."""
    closing = state.record.final_status is not None
    if not closing:
        yield from _open_steps(runbook.steps, state, asked, 0)
    # Before its turn has come, what `finally` did in an earlier round says nothing.
    yield from _open_steps(runbook.finally_steps, state, asked, asked.round if closing else state.record.round + 1)


def _open_steps(steps: Iterable[Step], state: RunState, asked: TaskKey, round_: int) -> Iterator[str]:
    for step, fan in _with_fans(steps):
        targets = _targets_of(state, fan, round_)
        left = [target for target in targets if _is_open(state, step, target, round_)]
        if not left or (step.id == asked.step and step.fan_out is None):
            continue
        told = step.name or step.description
        yield one_line(f"{step.id}: {briefly(step) or 'a group'}{f' ({told})' if told else ''}")
        if step.fan_out is not None:
            yield f"  {_told_of(left, len(targets))}"


def _with_fans(steps: Iterable[Step], fan: Step | None = None) -> Iterator[tuple[Step, Step | None]]:
    """Each step with the one whose targets multiply it, groups before what is in them."""
    for step in steps:
        around = step if step.fan_out is not None else fan
        yield step, around
        yield from _with_fans(step.steps, around)


def _targets_of(state: RunState, fan: Step | None, round_: int) -> Sequence[str | None]:
    """The keys of its targets; None stands for those that are not known, and for a step that has none."""
    resolved = None if fan is None else state.resolved.get((fan.id, round_)) or state.resolved.get((fan.id, 0))
    return [None] if resolved is None else list(resolved.index)


def _is_open(state: RunState, step: Step, target: str | None, round_: int) -> bool:
    """Whether something is still to happen to it for this target."""
    if step.steps:
        return any(_is_open(state, one, target, round_) for one in step.steps)
    task = state.tasks.get(TaskKey(step.id, target, round_))
    return task is None or task.status not in ("succeeded", "skipped")


def _told_of(left: Sequence[str | None], total: int) -> str:
    """`2 of 5 targets: web4, web5`."""
    known = [target for target in left if target is not None]
    if not known:
        return "targets: not known yet; it is asked again once they are"
    some = f"{len(known)} of " if len(known) < total else ""
    return f"{some}{counted(total, 'target')}: {some_of(known, _SHOWN)}"
