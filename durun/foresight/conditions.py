"""The `if`s of steps, as far as they can be told before the steps are reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durun.errors import DurunError
from durun.language.expressions import evaluate_condition, references
from durun.language.frames import Frames
from durun.model.forecast import Condition
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.values import Expression

_KNOWN = ("inputs", "env")


def conditions(runbook: Runbook, plan: Plan, scope: Mapping[str, Any]) -> dict[str, Condition]:
    """For each leaf that has any, its own `if` and those of the groups around it; `scope` has inputs and env."""
    conditional = {step.id: step.condition for step in runbook.every_step() if step.condition is not None}
    frames = Frames(runbook)
    told = {name: (written, _told(written, frames.of[name].foreseen(scope))) for name, written in conditional.items()}
    found = {}
    for leaf in plan.all_leaves((*plan.roots, *plan.finals)):
        around = [told[name] for name in _around(plan, leaf) if name in told]
        if around:
            found[leaf] = _all_of(around)
    return found


def _around(plan: Plan, leaf: str) -> list[str]:
    names = [leaf]
    while (parent := plan.nodes[names[0]].parent) is not None:
        names.insert(0, parent)
    return names


def _all_of(told: list[tuple[Expression, bool | None]]) -> Condition:
    """False as soon as one of them is false; true only if all are."""
    false = [one.source for one, holds in told if holds is False]
    if false:
        return Condition(False, false[0])
    unknown = [one.source for one, holds in told if holds is None]
    return Condition(None if unknown else True, " and ".join(unknown))


def _told(condition: Expression, scope: Mapping[str, Any]) -> bool | None:
    if any(reference.path[0] not in _KNOWN for reference in references(condition)):
        return None
    try:
        return evaluate_condition(condition, scope)
    except DurunError:
        return None  # a secret input, or a mistake that is told when the step is reached
