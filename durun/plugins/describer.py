"""The process that loads a plugin to say what it is, or why it can't be used.

    python -m durun.plugins.describer GROUP NAME

The answer is one line of JSON on stdout: what `durun.model.plugin.said_of` tells, or `{"error", "hint"}`. What the
plugin prints meanwhile goes nowhere.
"""

from __future__ import annotations

import json
import os
import sys

from durun.errors import CannotStart
from durun.model.plugin import Plugin, said_of
from durun.model.runbook import Output
from durun.model.values import Json
from durun.plugins.installed import ACTIONS, Found, find_action, installed
from durun.plugins.loaded import Unusable, load, load_action, outputs_of, schema_of, verifies


def main() -> None:
    """Answer for what the arguments name."""
    _, group, name = sys.argv
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    try:
        said = json.dumps(_described(name) if group == ACTIONS else _loaded(group, name))
    except CannotStart as error:
        said = json.dumps({"error": error.message, "hint": error.hint})
    except (TypeError, ValueError) as error:
        said = json.dumps({"error": f"what {name} says of itself is no JSON: {error}", "hint": "see to its package"})
    answer.write(f"{said}\n")
    answer.flush()
    # A plugin may have left threads behind, and things to do at the end.
    os._exit(0)


def _described(name: str) -> dict[str, Json]:
    found = find_action(name)
    try:
        action = load_action(found)
        outputs = {key: Output(output.type, secret=output.secret) for key, output in outputs_of(action).items()}
        schema = schema_of(action)
    except Unusable as error:
        raise _refused(found, str(error)) from None
    repeatable = bool(action.idempotent)
    return said_of(Plugin(name, found.package, found.version, schema, outputs, verifies(action), repeatable))


def _loaded(group: str, name: str) -> dict[str, Json]:
    for found in installed(group, name):
        try:
            load(found)
        except Unusable as error:
            raise _refused(found, str(error)) from None
    return {}


def _refused(found: Found, why: str) -> CannotStart:
    return CannotStart(f"{found.name}, of {found.code}, can't be used: {why}", f"see to the package {found.package}")


if __name__ == "__main__":
    main()
