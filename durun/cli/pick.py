"""Which run a command is about, and whether it may be named so loosely."""

from __future__ import annotations

import os
import sys

from durun.app import App
from durun.errors import UsageError

LAST = "@last"


def find_run(app: App, reference: str, changes: bool = False) -> str:
    """The whole id. `changes`: the command decides something, so `@last` is refused off a terminal.

    In a script the newest run may be another one than the author thought of. Raises NoSuchRun, UsageError.
    """
    if changes and reference == LAST and not _may_be_last():
        raise UsageError("@last is refused where no terminal is", "name the run, or set DURUN_LAST_OK=1")
    return app.journal.find(reference, uid=os.getuid())


def _may_be_last() -> bool:
    return os.environ.get("DURUN_LAST_OK") == "1" or sys.stdin.isatty()
