"""What a changed runbook would change for a run that is under way, and whether the run may go on under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from durun.engine.tasks import definition_of
from durun.errors import Changed
from durun.model.plan import Plan
from durun.model.runbook import FanOut, Include, Input, Runbook, Step, inputs_step
from durun.model.state import RunState
from durun.model.task import ROLLBACK

_OPEN = ("running", "in_doubt", "succeeded", "rolled_back")
"""Statuses of tasks whose step must stay what it is."""
_APART = ("line", "steps", "rollback")
"""Fields of a step that tell of other steps, or of none."""
_SPOKEN = {
    "call": "what it does",
    "collects": "what it does",
    "condition": "if",
    "group_outputs": "outputs",
    "idempotent_ttl": "idempotent",
    "include": "what it includes",
    "poll": "what it waits for",
    "source": "targets",
}


def changes_of(old: Runbook, new: Runbook, state: RunState) -> list[str]:
    """A line for each step or rollback that is added, removed or changed, and for a changed concurrency group.

    Raises Changed for what a run under way can't take: another name, other inputs, and a step that is done or in
    doubt that is removed, renamed, moved in or out of a fan-out or `finally`, or whose targets have other keys.
    """
    _refuse_other_name(old, new)
    _refuse_other_inputs(new, state)
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
            lines.append(f"~ {step_id}: {_what(step, other)}{_kept_targets(step, other, state)}")
        if _undone(step) != _undone(other):
            lines.append(f"~ {step_id}: changed (when it is undone)")
    if old.concurrency != new.concurrency:
        lines.append("~ concurrency: the run keeps the group that it was started with")
    lines += [f"+ {step_id}: added" for step_id in after if step_id not in before]
    return lines + _other_secrets(old, new) + _other_plugins(old, new)


def _other_plugins(old: Runbook, new: Runbook) -> list[str]:
    """A line for each action from a plugin that is of another package or version."""
    if not old.plugins:
        return []
    from durun.model.plugin import plugin_of  # few runs use plugins

    both = sorted(old.plugins.keys() & new.plugins.keys())
    named = [(name, plugin_of(old.plugins[name]).code, plugin_of(new.plugins[name]).code) for name in both]
    return [f"~ {name}: {then} became {now}" for name, then, now in named if then != now]


def _other_secrets(old: Runbook, new: Runbook) -> list[str]:
    """A line for each declared secret that is another, or found elsewhere."""
    lines = [f"- secrets.{name}: removed" for name in old.secrets if name not in new.secrets]
    lines += [f"+ secrets.{name}: added" for name in new.secrets if name not in old.secrets]
    both = ((name, old.secrets[name], new.secrets[name]) for name in old.secrets if name in new.secrets)
    found = (name for name, then, now in both if then._replace(line=now.line) != now)
    return lines + [f"~ secrets.{name}: found elsewhere" for name in found]


def tasks_added(before: Plan, after: Plan, state: RunState) -> int:
    """By how much the tasks of a run become more (or fewer) under the changed plan, with the targets that are known."""
    return _tasks(after, state) - _tasks(before, state)


def _tasks(plan: Plan, state: RunState) -> int:
    total = plan.task_count(plan.roots)
    for (step, round_), resolved in state.resolved.items():
        if round_ == 0 and step in plan.nodes:
            total += len(resolved.index) * len(plan.leaves(step)) - 1 + bool(resolved.approval)
    return total


def _refuse_other_name(old: Runbook, new: Runbook) -> None:
    if old.name != new.name:
        raise Changed(f"the runbook is {new.name!r}, the run is of {old.name!r}", "resume with the run's own runbook")


def _refuse_other_inputs(new: Runbook, state: RunState) -> None:
    """The run's own inputs, and those of an included runbook once that has been reached."""
    others = _other_inputs(new.inputs, state.created.inputs, state.created.sealed)
    includes = {inputs_step(step.id): step for step in new.every_step() if step.include is not None}
    for key, task in state.tasks.items() if includes else ():
        step = includes.get(key.step)
        if step is not None and step.include is not None and task.status == "succeeded":
            # A default is fixed with the others: one that came later would be missing.
            declared = {
                name: one._replace(required=one.required or one.has_default)
                for name, one in step.include.inputs.items()
            }
            others += [f"{step.id}.{name}" for name in _other_inputs(declared, task.outputs, task.sealed)]
    if others:
        raise Changed(
            f"the changed runbook has other inputs: {', '.join(dict.fromkeys(others))}",
            "a run's inputs never change: start a new run for it",
        )


def _other_inputs(declared: Mapping[str, Input], plain: Iterable[str], sealed: Iterable[str]) -> list[str]:
    """The names of inputs that would be missing, superfluous, or no longer (or only now) secret."""
    given = {**dict.fromkeys(plain, False), **dict.fromkeys(sealed, True)}
    missing = [name for name, item in declared.items() if item.required and name not in given]
    gone = [name for name in given if name not in declared]
    return [*missing, *gone, *(name for name in given if name in declared and declared[name].secret != given[name])]


def _refuse_if(refused: bool, step_id: str, what: str) -> None:
    if refused:
        raise Changed(
            f"step {step_id} is done or in doubt, and the changed runbook has it {what}",
            f"keep the step {step_id} as it was, or start a new run",
        )


def _differs(old: Step, new: Step) -> bool:
    return _comparable(old) != _comparable(new)


def _undone(step: Step) -> str | None:
    """When a step is undone that has a rollback."""
    return None if step.rollback is None else repr(step.rollback[1:])


def _comparable(step: Step) -> str:
    """Everything about a step but where it stands in the file, the steps inside it, and what undoes it."""
    return repr([(name, _field(step, name)) for name in step._fields if name not in _APART])


def _field(step: Step, name: str) -> Any:
    """A field of a step; of what it includes, only what that file says of itself."""
    value = getattr(step, name)
    return value._replace(early=()) if isinstance(value, Include) else value


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
        name for name in old._fields if name not in _APART and repr(_field(old, name)) != repr(_field(new, name))
    ]
    if "fan_out" in changed:
        at = changed.index("fan_out")
        changed[at : at + 1] = _spread(old.fan_out, new.fan_out)
    named = ", ".join(dict.fromkeys(_SPOKEN.get(name, name) for name in changed))
    again = "; a new idempotency key" if definition_of(old) != definition_of(new) else ""
    return f"changed ({named}){again}"


def _spread(old: FanOut | None, new: FanOut | None) -> list[str]:
    """The fields in which two fan-outs differ; where one is none, that it has targets."""
    if old is None or new is None:
        return ["source"]
    return [name for name in old._fields if repr(getattr(old, name)) != repr(getattr(new, name))]


def _kept_targets(old: Step, new: Step, state: RunState) -> str:
    """What must be said where targets are written anew that are fixed already."""
    if old.fan_out is None or new.fan_out is None or (old.id, 0) not in state.resolved:
        return ""
    return "; the run keeps the targets that it has" if "source" in _spread(old.fan_out, new.fan_out) else ""
