"""Which run a command is about, and whether it may be named so loosely."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from durun.app import App
from durun.errors import NoSuchRun, UsageError
from durun.journal.api import RunQuery
from durun.journal.lookup import LAST
from durun.journal.register import PRUNED
from durun.model.clock import to_iso
from durun.model.status import FINAL, RUN_STATUSES


def find_run(app: App, reference: str, changes: bool = False) -> str:
    """The whole id. `changes`: the command decides something, so `@last` is refused off a terminal.

    In a script the newest run may be another one than the author thought of. Raises NoSuchRun, UsageError.
    """
    if changes and reference == LAST and not _may_be_last():
        raise UsageError("@last is refused where no terminal is", "name the run, or set DURUN_LAST_OK=1")
    try:
        return app.journal.find(reference, uid=os.getuid())
    except NoSuchRun:
        entries = app.journal.entries(reference) if reference else []
        if entries and entries[-1].kind == PRUNED:
            gone = f"run {reference} was pruned ({to_iso(entries[-1].fields()['at'])})"
            raise NoSuchRun(gone, "`durun verify` proves that its head is kept") from None
        if reference.startswith("@"):
            raise NoSuchRun(f"no run {reference}", f"`{LAST}` is your newest run") from None
        name = Path(reference).name.removesuffix(".yaml").removesuffix(".yml")
        if name and app.journal.runs(RunQuery(runbook=name, limit=1)):
            raise NoSuchRun(
                f"{reference} is a runbook, and no run", f"its runs: durun history --runbook {name}"
            ) from None
        raise


def find_unfinished(app: App) -> str:
    """The newest run of this user that has not ended for good. Raises UsageError, NoSuchRun."""
    query = RunQuery(statuses=frozenset(RUN_STATUSES) - FINAL, uid=os.getuid(), limit=2)
    found = app.journal.runs(query)
    if not found:
        raise NoSuchRun("no run of yours is unfinished", "`durun history` lists the runs")
    if not _may_be_last():
        named = f"durun resume {found[0].id}" if len(found) == 1 else "name the run (`durun history` lists them)"
        raise UsageError("no terminal is here, so no run is chosen by itself", f"{named}, or give --all")
    return found[0].id


def _may_be_last() -> bool:
    return os.environ.get("DURUN_LAST_OK") == "1" or sys.stdin.isatty()
