"""`assert`: fails the step when what it says does not hold."""

from __future__ import annotations

from durun.actions.api import Context, Done, Failed, Work
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Evaluate `that` now: nothing is started."""
    if context.holds(spec["that"]):
        return Done({})
    message = context.render(spec.get("message")) if spec.get("message") is not None else None
    return Failed("assert", str(message or f"assertion does not hold: {spec['that'].source}"))
