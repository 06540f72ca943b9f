"""`runbook`: before the steps of an included runbook, its inputs are rendered, checked, and fixed as outputs."""

from __future__ import annotations

from durun.actions.api import Context, Done, Failed, Work
from durun.errors import InvalidInput
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """The inputs, of which those that are declared secret are to be sealed. Nothing is started."""
    declared = spec["declared"]
    try:
        values = context.fitting({name: context.render(value) for name, value in spec["inputs"].items()}, declared)
    except InvalidInput as error:
        return Failed("inputs", f"{spec['file']}: {error.message}")
    return Done(values, frozenset(name for name in values if declared[name].secret))
