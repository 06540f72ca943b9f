"""`wait`: a duration, or until a moment; the deadline is journalled, so a resume does not begin the wait anew."""

from __future__ import annotations

from durun.actions.api import Context, Failed, Pause, Work
from durun.model.clock import from_moment
from durun.model.duration import parse_duration
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """How long, or until when. Nothing is started."""
    written = context.render(spec["until"] if isinstance(spec, dict) else spec)
    try:
        if isinstance(spec, dict):
            return Pause(at=from_moment(str(written)))
        return Pause(seconds=parse_duration(str(written)))
    except ValueError as error:
        return Failed("wait", f"wait: {error}")
