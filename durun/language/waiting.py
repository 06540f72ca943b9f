"""Reads `wait`."""

from __future__ import annotations

from durun.language.diagnostics import Path
from durun.language.values import Reader
from durun.model.clock import moment_to_wait_for
from durun.model.values import Json, Value


def read_wait(reader: Reader, raw: Json, path: Path) -> Value:
    """A duration, or `{until: TIME}`; what is written out is checked now."""
    if not isinstance(raw, dict):
        return reader.duration(raw or None, path)
    at = (*path, "until")
    value = reader.value(raw.get("until"), at)
    if isinstance(value, str):
        try:
            moment_to_wait_for(value)
        except ValueError as error:
            reader.problem(f"`until`: {error}", at)
    return {"until": value}
