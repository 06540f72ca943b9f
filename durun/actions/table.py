"""The built-in actions, by the name that a runbook gives them."""

from __future__ import annotations

from collections.abc import Mapping

from durun.actions import assertion, generate, run
from durun.actions.api import Action

ACTIONS: Mapping[str, Action] = {
    "run": run.prepare,
    "assert": assertion.prepare,
    "generate": generate.prepare,
}
