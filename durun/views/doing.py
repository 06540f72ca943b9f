"""What a step does, in words: as the runbook says it; what is an expression stays one."""

from __future__ import annotations

from durun.model.runbook import Action, Step
from durun.model.values import Expression, Template

_LONG = 2000
"""Characters of an action that are told."""


def does(step: Step) -> str:
    """What a step does, as the runbook says it; what is an expression stays one."""
    if step.poll is not None:
        until = "" if step.poll.until is None else f" until {step.poll.until.source}"
        return _cut(f"wait{until}: {_of_action(step.poll.call.action)}")
    return "" if step.call is None else _of_action(step.call.action)


def _of_action(action: Action) -> str:
    spec = action.spec
    match action.kind:
        case "run" if isinstance(spec, str):
            text = spec.strip()
        case "run":
            text = " ".join(map(as_written, spec))
        case "http":
            text = f"{spec.get('method', 'GET')} {as_written(spec.get('url', ''))}"
        case "runbook":
            text = f"inputs of {spec['file']}"
        case "uses":
            text = f"uses {spec['uses']}"
        case "collect":
            globs = spec["files"]
            listed = map(as_written, globs) if isinstance(globs, list | tuple) else (as_written(globs),)
            text = f"collect {' '.join(listed)}"
        case "approval":
            text = f"approval: {as_written(spec.get('message', ''))}"
        case "manual":
            text = f"by hand: {as_written(spec.get('instructions', ''))}"
        case "assert":
            text = f"assert {as_written(spec['that'])}"
        case "wait":
            text = f"wait {as_written(spec.get('until', '') if isinstance(spec, dict) else spec)}"
        case kind:
            text = f"{kind}: {', '.join(map(str, spec))}" if isinstance(spec, dict) else kind
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def briefly(step: Step) -> str:
    """The same in one line: of a script the first that is no comment."""
    lines = [line.strip() for line in does(step).splitlines()]
    told = [line for line in lines if line and not line.startswith("#")]
    return f"{told[0]} …" if len(told) > 1 else "".join(told)


def as_written(value: object) -> str:
    """A value with its expressions as they are written."""
    match value:
        case Expression():
            return value.source
        case Template():
            return "".join(part if isinstance(part, str) else f"${{{{ {part.source} }}}}" for part in value.parts)
    return str(value)
