"""Which steps change something outside, and which of these nothing takes back."""

from __future__ import annotations

from collections.abc import Iterable

from durun.model.runbook import SAFE_METHODS, Runbook, Step


def lasting(runbook: Runbook, steps: Iterable[str]) -> list[str]:
    """Those of these steps that may change something outside, which no rollback takes back."""
    chosen = set(steps)
    return [step.id for step in runbook.every_step() if step.id in chosen and _changes(step)]


def _changes(step: Step) -> bool:
    """Whether it may: a command always, for nobody knows what it does."""
    if step.call is None:
        return False
    action = step.call.action
    if action.kind == "http":
        return action.spec.get("method", "GET") not in SAFE_METHODS
    return action.kind in ("run", "secret", "manual")
