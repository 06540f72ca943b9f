"""Reads `retry`: of a step, of a rollback, and the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durun.language.diagnostics import Path
from durun.language.values import Reader
from durun.model.runbook import RetrySpec
from durun.model.values import Json


def read_retry(reader: Reader, raw: Mapping[str, Json], path: Path) -> RetrySpec:
    """A retry; the step's own keys are already laid over the defaults."""
    given: dict[str, Any] = {}
    for key, value in raw.items():
        at = (*path, key)
        if key in ("delay", "max_delay"):
            given[key] = reader.duration(value, at, positive=False)
        else:
            given[key] = tuple(value) if key == "on_exit_codes" else reader.value(value, at)
    return RetrySpec(**given)
