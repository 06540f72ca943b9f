"""The concurrency group of a runbook: what its name is made of, and what it is for one run."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from durun.errors import InvalidInput
from durun.language.expressions import ExpressionError, render
from durun.language.plain import kind_of, to_text
from durun.language.values import Reader
from durun.model.runbook import Concurrency, Runbook
from durun.model.values import Json

MAX_NAME = 256
"""Characters of a group's name."""


def read_concurrency(reader: Reader, raw: Mapping[str, Any]) -> Concurrency | None:
    """What stands under `concurrency:`; None where nothing is said."""
    if "group" not in raw:
        return None
    path = ("concurrency", "group")
    group = reader.value(raw["group"], path)
    if isinstance(group, str) and (fault := _fault(group)):
        reader.problem(f"`group` {fault}", path, "choose another name")
    return Concurrency(group, raw.get("on_conflict", "fail"), tuple(raw.get("release_on", ())))


def group_name(runbook: Runbook, inputs: Mapping[str, Json], env: Mapping[str, str]) -> str | None:
    """The name of the group that a run with these inputs holds; None if it holds none.

    `env` is the caller's environment. Raises InvalidInput when the expressions give nothing that can be a name.
    """
    if runbook.concurrency is None:
        return None
    try:
        found = render(runbook.concurrency.group, {"inputs": inputs, "env": env})
    except ExpressionError as error:
        raise InvalidInput(f"the concurrency group: {error.message}", error.hint) from error
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        problem = f"the concurrency group is of type {kind_of(found)}, and a name is text or a number"
        raise InvalidInput(problem, "correct `concurrency`, or give an input that fits")
    name = unicodedata.normalize("NFC", to_text(found))
    if fault := _fault(name):
        raise InvalidInput(f"the name of the concurrency group {fault}", "give an input that fits")
    return name


def _fault(name: str) -> str:
    """Why this can't be a group's name, or nothing."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME:
        return f"is {len(name)} characters long, and may have 1 to {MAX_NAME}"
    return "" if name.isprintable() else f"holds a character that can't be printed: {name!a}"
