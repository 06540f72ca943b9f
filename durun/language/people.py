"""Reads `approval` and `manual`: what people are asked, and what they are to give with a yes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from durun.language.declarations import read_inputs
from durun.language.diagnostics import Path
from durun.language.values import Reader
from durun.model.people import GROUP
from durun.model.runbook import Action, Input, Output
from durun.model.values import Json

_NAME: Final = re.compile(r"(group:)?[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?")


def read_question(reader: Reader, kind: str, raw: Mapping[str, Json], path: Path) -> tuple[Action, dict[str, Output]]:
    """The action, and the outputs that its fields become."""
    fields = read_inputs(reader, raw.get("fields", {}), (*path, "fields"))
    for name, declared in fields.items():
        if declared.secret:
            message = "a field can't be secret: what people say is kept in the journal"
            reader.problem(
                message, (*path, "fields", name, "secret"), "let a step make the secret, or read it", at_key=True
            )
    spec: dict[str, Any] = {"fields": fields, "timeout": reader.duration(raw.get("timeout"), (*path, "timeout"))}
    if kind == "manual":
        spec["instructions"] = reader.value(raw.get("instructions", ""), (*path, "instructions"))
    else:
        spec |= _approval(reader, raw, path)
    return Action(kind, spec), {name: _output(declared) for name, declared in fields.items()}


def _approval(reader: Reader, raw: Mapping[str, Json], path: Path) -> dict[str, Any]:
    names, least = raw.get("approvers", ()), raw.get("min_approvals", 1)
    if isinstance(names, list):
        for index, name in enumerate(names):
            if "${{" not in name and not _NAME.fullmatch(name):
                hint = f"a unix group is written {GROUP}{name[1:]}" if name[:1] in "@%" else ""
                reader.problem(f"`{name}` is not the name of a user", (*path, "approvers", index), hint)
        certain = not any("${{" in name or name.startswith(GROUP) for name in names)
        if certain and isinstance(least, int) and least > len(set(names)):
            message = f"{least} must approve, and there are only {len(set(names))} approvers"
            reader.problem(message, (*path, "min_approvals"))
    return {
        "message": reader.value(raw.get("message", ""), (*path, "message")),
        "approvers": reader.value(names, (*path, "approvers")),
        "min_approvals": reader.value(least, (*path, "min_approvals")),
        "allow_requester": raw.get("allow_requester", False),
    }


def _output(declared: Input) -> Output:
    kind = declared.schema.get("type", "string")
    return Output(type=cast(Any, kind if isinstance(kind, str) and kind != "null" else "object"))
