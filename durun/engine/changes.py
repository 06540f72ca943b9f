"""What a changed runbook would change for a run that is under way, and whether the run may go on under it."""

from __future__ import annotations

from durun.engine.tasks import definition_of
from durun.errors import Changed
from durun.model.plan import ROLLBACK, Plan
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState

_OPEN = ("running", "in_doubt", "succeeded", "rolled_back")
"""Statuses of tasks whose step must stay what it is."""
_APART = ("line", "steps", "rollback")
"""Fields of a step that tell of other steps, or of none."""


def changes_of(old: Runbook, new: Runbook, state: RunState) -> list[str]:
    """A line for each step or rollback that is added, removed or changed, and for a changed concurrency group.

    Raises Changed for what a run under way can't take: another name, other inputs, and a step that is done or in
    doubt that is removed, renamed, moved in or out of a fan-out or `finally`, or whose targets have other keys.
    """
    _refuse_other_inputs(old, new, state)
    before = {step.id: step for step in (*old.every_step(), *old.rollbacks())}
    after = {step.id: step for step in (*new.every_step(), *new.rollbacks())}
    held = {key.step for key, task in state.tasks.items() if task.status in _OPEN}
    then, now = _keyed(old), _keyed(new)
    lines = []
    for step_id, step in before.items():
        if step_id not in after:
            _refuse_if(step_id in held, step_id, "removed or renamed")
            lines.append(f"- {step_id}: removed")
            continue
        other = after[step_id]
        _refuse_if(step_id in held and then[step_id] != now[step_id], step_id, "given other targets, or moved")
        unlike = step.secret_outputs != other.secret_outputs
        _refuse_if(step_id in held and unlike, step_id, "given other secret outputs")
        if step != other and _differs(step, other):
            lines.append(f"~ {step_id}: {_what(step, other)}")
    if old.concurrency != new.concurrency:
        lines.append("~ concurrency: the run keeps the group that it was started with")
    lines += [f"+ {step_id}: added" for step_id in after if step_id not in before]
    return lines + _other_secrets(old, new)


def _other_secrets(old: Runbook, new: Runbook) -> list[str]:
    """A line for each declared secret that is another, or found elsewhere."""
    lines = [f"- secrets.{name}: removed" for name in old.secrets if name not in new.secrets]
    lines += [f"+ secrets.{name}: added" for name in new.secrets if name not in old.secrets]
    both = ((name, old.secrets[name], new.secrets[name]) for name in old.secrets if name in new.secrets)
    return lines + [f"~ secrets.{name}: found elsewhere" for name, then, now in both if then[:2] != now[:2]]


def tasks_added(before: Plan, after: Plan, state: RunState) -> int:
    """By how much the tasks of a run become more (or fewer) under the changed plan, with the targets that are known."""
    return _tasks(after, state) - _tasks(before, state)


def _tasks(plan: Plan, state: RunState) -> int:
    total = plan.task_count(plan.roots)
    for (step, round_), resolved in state.resolved.items():
        if round_ == 0 and step in plan.nodes:
            total += len(resolved.index) * len(plan.leaves(step)) - 1
    return total


def _refuse_other_inputs(old: Runbook, new: Runbook, state: RunState) -> None:
    if old.name != new.name:
        raise Changed(f"the runbook is {new.name!r}, the run is of {old.name!r}", "resume with the run's own runbook")
    given = {**dict.fromkeys(state.created.inputs, False), **dict.fromkeys(state.created.sealed, True)}
    missing = [name for name, item in new.inputs.items() if item.required and name not in given]
    gone = [name for name in given if name not in new.inputs]
    unlike = [name for name in given if name in new.inputs and new.inputs[name].secret != given[name]]
    if missing or gone or unlike:
        names = ", ".join([*missing, *gone, *unlike])
        raise Changed(
            f"the changed runbook has other inputs: {names}",
            "a run's inputs never change: start a new run for it",
        )


def _refuse_if(refused: bool, step_id: str, what: str) -> None:
    if refused:
        raise Changed(
            f"step {step_id} is done or in doubt, and the changed runbook has it {what}",
            f"keep the step {step_id} as it was, or start a new run",
        )


def _differs(old: Step, new: Step) -> bool:
    return _comparable(old) != _comparable(new)


def _comparable(step: Step) -> str:
    """Everything about a step but where it stands in the file, the steps inside it, and what undoes it."""
    fields = (name for name in step._fields if name not in _APART)
    return repr([(name, getattr(step, name)) for name in fields])


def _keyed(runbook: Runbook) -> dict[str, tuple[str, ...]]:
    """What the tasks of each step are named by: the `finally` they belong to, and the fan-out around them."""
    found: dict[str, tuple[str, ...]] = {}

    def add(steps: tuple[Step, ...], around: tuple[str, ...]) -> None:
        for step in steps:
            fan_out = step.fan_out
            found[step.id] = (
                around if fan_out is None else (around[0], step.id, repr((fan_out.target_key, fan_out.secret_fields)))
            )
            found[f"{step.id}{ROLLBACK}"] = found[step.id]
            add(step.steps, found[step.id])

    add(runbook.steps, ("steps",))
    add(runbook.finally_steps, ("finally",))
    return found


def _what(old: Step, new: Step) -> str:
    changed = [
        name for name in old._fields if name not in _APART and repr(getattr(old, name)) != repr(getattr(new, name))
    ]
    named = ", ".join("what it does" if name == "call" else name for name in changed)
    again = "; a new idempotency key" if definition_of(old) != definition_of(new) else ""
    return f"changed ({named}){again}"
