"""`approval` and `manual`: what people are asked. Nothing is started, and the run waits without a process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durun.actions.api import Context, Failed, Question, Work
from durun.model.duration import parse_duration
from durun.model.people import GROUP
from durun.model.runbook import Shell
from durun.model.values import Json, Value


def prepare_approval(spec: Mapping[str, Value], shell: Shell, context: Context) -> Work:
    """Who is asked for what, and how many must say yes."""
    approvers, least = context.render(spec["approvers"]), context.render(spec["min_approvals"])
    if not isinstance(approvers, list) or not approvers or not all(_is_name(name) for name in approvers):
        return Failed("approval", "approval: `approvers` gives no list of names")
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        return Failed("approval", f"approval: `min_approvals` is {least!r}, and not a whole number from 1")
    if least > len(set(approvers)) and not any(name.startswith(GROUP) for name in approvers):
        return Failed("approval", f"approval: {least} must approve, and there are only {len(set(approvers))} approvers")
    asked = {
        "message": _text(context.render(spec["message"])),
        "approvers": approvers,
        "min_approvals": least,
        "allow_requester": spec["allow_requester"],
        "fields": _fields(spec),
    }
    return _question("approval", asked, spec, context)


def prepare_manual(spec: Mapping[str, Value], shell: Shell, context: Context) -> Work:
    """What a person is to do."""
    asked = {"instructions": _text(context.render(spec["instructions"])), "fields": _fields(spec)}
    return _question("manual", asked, spec, context)


def _question(kind: Any, asked: Mapping[str, Json], spec: Mapping[str, Value], context: Context) -> Work:
    if spec.get("timeout") is None:
        return Question(kind, asked)
    try:
        return Question(kind, asked, parse_duration(str(context.render(spec["timeout"]))))
    except ValueError as error:
        return Failed(kind, f"{kind}: timeout: {error}")


def _fields(spec: Mapping[str, Value]) -> dict[str, Json]:
    """What is to be given with a yes: per name a JSON Schema, whether it must be, a default, a description."""
    return {name: declared._asdict() for name, declared in spec["fields"].items()}


def _is_name(name: Json) -> bool:
    return isinstance(name, str) and bool(name) and name.isprintable()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
