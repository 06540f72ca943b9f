"""Whom the steps ahead will ask: approvals, and what people are to do by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from durun.errors import DurunError
from durun.language.expressions import render
from durun.language.frames import Frames
from durun.model.runbook import Runbook
from durun.model.values import Expression, Template, Value
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
        needed, within = spec.get("min_approvals", 1), _told(spec.get("timeout") or "", known)
        needed, own = needed if isinstance(needed, int) else 1, spec.get("allow_requester", True) is not False
        who = _names(spec.get("approvers", ()), known)
        found.append(Asked(step.id, step.call.action.kind, text, who, needed, within, own))
    return found


def _names(approvers: Value, scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Who is asked, one by one; an expression that is not known yet, as it is written."""
    if isinstance(approvers, Template):
        try:
            approvers = render(approvers, scope)
        except DurunError:
            return (as_written(approvers),)
    return tuple(_told(name, scope) for name in approvers) if isinstance(approvers, list | tuple) else ()


def _told(value: Value, scope: Mapping[str, Any]) -> str:
    """The text; what is not known yet stands in it as it is written."""
    parts = value.parts if isinstance(value, Template) else (value,)
    return "".join(_filled(part, scope) if isinstance(part, Expression) else str(part) for part in parts)


def _filled(part: Expression, scope: Mapping[str, Any]) -> str:
    try:
        return str(render(Template(("", part)), scope))
    except DurunError:
        return as_written(Template((part,)))
