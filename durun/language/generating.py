"""Reads `generate`: what is to be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durun.language.diagnostics import Path
from durun.language.values import Reader
from durun.model.runbook import Action
from durun.model.values import Json

_LACKING: Final[Mapping[str, tuple[str, ...]]] = {
    "letters": ("digit", "symbol"),
    "digits": ("lower", "upper", "symbol"),
    "alphanumeric": ("symbol",),
}
"""Kinds of characters that can't be found in the alphabets of these names."""


def read_generate(reader: Reader, raw: Mapping[str, Json], path: Path) -> Action:
    """What stands under `generate`, at `path`: a kind of value, with its options."""
    _check_password(reader, raw.get("password") or {}, (*path, "password"))
    return Action("generate", {name: reader.value(options or {}, (*path, name)) for name, options in raw.items()})


def _check_password(reader: Reader, spec: Mapping[str, Json], path: Path) -> None:
    alphabet = spec.get("alphabet", "alphanumeric")
    for name in spec.get("require", ()):
        if name in _LACKING.get(alphabet, ()):
            message = f"the alphabet `{alphabet}` has no {name}"
            reader.problem(message, (*path, "require"), "write `alphabet: ascii`, which has all", at_key=True)
