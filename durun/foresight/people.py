"""Whom the steps ahead will ask: approvals, and what people are to do by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from durun.errors import DurunError
from durun.language.expressions import render
from durun.language.frames import Frames
from durun.model.runbook import Runbook
from durun.model.values import Value
from durun.views.doing import as_written
from durun.views.foreseen import Asked


def asked_of_people(runbook: Runbook, steps: Iterable[str], scope: Mapping[str, Any]) -> list[Asked]:
    """Each with what is asked and of whom, as far as it can be told; `scope` has inputs and env."""
    chosen, frames = set(steps), Frames(runbook)
    found = []
    for step in runbook.every_step():
        if step.id not in chosen or step.call is None or step.call.action.kind not in ("approval", "manual"):
            continue
        spec, known = step.call.action.spec, frames.of[step.id].foreseen(scope)
        text = _told(spec.get("message", spec.get("instructions", "")), known)
        who = [_told(name, known) for name in spec.get("approvers", ())] if _listed(spec) else []
        needed, within = spec.get("min_approvals", 1), _told(spec.get("timeout") or "", known)
        needed = needed if isinstance(needed, int) else 1
        found.append(Asked(step.id, step.call.action.kind, text, tuple(who), needed, within))
    return found


def _listed(spec: Mapping[str, Any]) -> bool:
    return isinstance(spec.get("approvers", ()), list | tuple)


def _told(value: Value, scope: Mapping[str, Any]) -> str:
    """The text; where what it is made of is not known yet, as it is written."""
    try:
        return str(render(value, scope))
    except DurunError:
        return as_written(value)
