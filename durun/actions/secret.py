"""`secret`: puts a value into the caller's keyring, or deletes one; and the check whether that has been done.

The work is done by a small process of durun itself. Names and value reach it on stdin, never in its argv.
"""

from __future__ import annotations

import json
import sys
from typing import Literal

from durun.actions.api import Context, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value

NOT_DONE = 1
"""The exit code of the check when the keyring holds something else; 0 is done, any other: it could not be asked."""

_SEEN = (
    "HOME",
    "USER",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CURRENT_DESKTOP",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "PYTHON_KEYRING_BACKEND",
    "PYTHONPATH",
    "DURUN_HOME",
)
"""The caller's variables by which the keyring, its configuration and durun's state directory are found."""


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Store and read back, or delete. What is stored already, or gone already, is done."""
    (verb, details) = next(iter(spec.items()))
    return _process("put" if verb == "put" else "delete", details, context)


def prepare_check(spec: Value, shell: Shell, context: Context) -> Work:
    """Ask whether the keyring holds exactly this value, or nothing any more."""
    (verb, details) = next(iter(spec.items()))
    return _process("is_put" if verb == "put" else "is_deleted", details, context)


def _process(verb: Literal["put", "delete", "is_put", "is_deleted"], details: Value, context: Context) -> Process:
    rendered = {name: context.render(value) for name, value in details.items()}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in rendered.items()}
    argv = (sys.executable, "-P", "-m", "durun.secrets.step", verb)
    return Process(argv=argv, stdin=json.dumps(texts, sort_keys=True), inherit=_SEEN)
