"""The state directory and the journal."""

from __future__ import annotations

import os
import stat

from durun.doctor.here import Here
from durun.errors import StorageFailed
from durun.journal.connect import Unfinished
from durun.journal.health import look
from durun.journal.place import require_safe
from durun.model.check import Check


def directory(here: Here) -> Check:
    """Its owner's alone, writable, on a disk of this machine; or not there yet, and it can be made."""
    home = here.config.home
    if home.exists():
        require_safe(here.config.journal_path)
        mode = stat.S_IMODE(home.stat().st_mode)
        return Check("state_directory", "ok", f"{home} (mode {mode:04o}, on a disk of this machine)")
    above = next(folder for folder in home.parents if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageFailed(f"{home} is not there, and can't be made in {above}", "set DURUN_HOME to a folder of yours")
    return Check("state_directory", "ok", f"{home} is not there yet: the first run makes it")


def journal(here: Here) -> Check:
    """It opens, and SQLite finds its structure whole."""
    path = here.config.journal_path
    try:
        health = look(path)
    except Unfinished as cut_short:
        return Check("journal", "warn", cut_short.message, "the next `durun run` or `durun resume` undoes it")
    if health is None:
        return Check("journal", "ok", "there is none yet: the first run makes it")
    return Check("journal", "ok", f"{path} is whole (SQLite {health.sqlite}, mode {health.mode})")
