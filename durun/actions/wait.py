"""`wait` and `wait_for`: the end of a wait is journalled, so a resume does not begin it anew."""

from __future__ import annotations

from durun.actions.api import Context, Failed, Pause, Work
from durun.model.clock import moment_to_wait_for
from durun.model.duration import parse_duration
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """How long, or until when. Nothing is started."""
    written = context.render(spec["until"] if isinstance(spec, dict) else spec)
    try:
        if isinstance(spec, dict):
            return Pause(at=moment_to_wait_for(str(written)))
        return Pause(seconds=parse_duration(str(written)))
    except ValueError as error:
        return Failed("wait", f"wait: {error}")


def prepare_poll(spec: Value, shell: Shell, context: Context) -> Work:
    """How often it is asked, and for how long at most."""
    rendered = {name: context.render(value) for name, value in spec.items()}
    seconds = {}
    for name, value in rendered.items():
        try:
            seconds[name] = parse_duration(str(value))
        except ValueError as error:
            return Failed("wait_for", f"wait_for: `{name}`: {error}")
    if not seconds["every"]:
        return Failed("wait_for", "wait_for: `every` must be longer than nothing")
    return Pause(seconds=seconds.get("timeout"), every=seconds["every"])
