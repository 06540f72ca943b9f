"""What a decision is about: what is asked, by whom, and what will run on which targets if the answer is yes."""

from __future__ import annotations

from collections.abc import Iterator

from durun.model.evidence import evidence_of
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.task import TaskKey, Waiting
from durun.views.doing import briefly
from durun.views.people import question_lines
from durun.views.text import counted, duration, local_time, one_line, some_of, value_text

_SHOWN = 20
"""How many targets of a step are named."""


def ahead_text(state: RunState, runbook: Runbook, key: TaskKey, waiting: Waiting, now: float) -> str:
    """The whole text, for whoever is to decide."""
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
    lines = [*question_lines(key, waiting, created.by), ""]
    lines += (f"{name:<9}{one_line(text)}" for name, text in facts if text)
    lines += _evidence(state)
    lines += ["", "what is to run:", *(f"  {line}" for line in _to_run(state, runbook, key))]
    return "".join(f"{line}\n" for line in lines)


def _evidence(state: RunState) -> list[str]:
    """What was collected so far, each piece with the beginning of its SHA-256."""
    pieces = list(evidence_of(state.tasks.items()))
    lines = [f"  {one.sha256[:16]}  {one_line(one.name)}" for one in pieces[:_SHOWN]]
    more = [f"  … and {len(pieces) - _SHOWN} more"] if len(pieces) > _SHOWN else []
    return ["", f"evidence: {counted(len(pieces), 'piece')}", *lines, *more] if pieces else []


def _to_run(state: RunState, runbook: Runbook, asked: TaskKey) -> Iterator[str]:
    """A line for each step that is not over, and for its targets."""
    for step in runbook.every_step():
        if step.id == asked.step and step.fan_out is None:
            continue
        tasks = [task for key, task in state.tasks.items() if key.step == step.id and key.round == asked.round]
        if tasks and step.fan_out is None and all(task.status in ("succeeded", "skipped") for task in tasks):
            continue
        told = step.name or step.description
        yield one_line(f"{step.id}: {briefly(step) or 'a group'}{f' ({told})' if told else ''}")
        if step.fan_out is not None:
            yield f"  {_targets(state, step, asked.round)}"


def _targets(state: RunState, step: Step, round_: int) -> str:
    resolved = state.resolved.get((step.id, round_)) or state.resolved.get((step.id, 0))
    if resolved is None:
        return "targets: not known yet; it is asked again once they are"
    return f"{counted(len(resolved.index), 'target')}: {some_of(list(resolved.index), _SHOWN)}"
