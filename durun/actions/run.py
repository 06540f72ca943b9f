"""`run`: a string is a script for the step's shell, a list is an argv that is started without a shell."""

from __future__ import annotations

import json

from durun.actions.api import Context, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """The process to start. Values other than strings become JSON in an argv."""
    if isinstance(spec, str):
        return Process(script=spec, shell=shell)
    rendered = [context.render(word) for word in spec]
    return Process(argv=tuple(word if isinstance(word, str) else json.dumps(word) for word in rendered))
