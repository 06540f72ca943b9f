"""What `durun` alone tells below its commands: which runs are unfinished, and what to type about each."""

from __future__ import annotations

import os

from durun.app import open_app
from durun.errors import DurunError
from durun.journal.api import RunQuery
from durun.model.status import FINAL, RESUMABLE, RUN_STATUSES, RunStatus, spoken

_SHOWN = 3


def unfinished() -> str:
    """A line for each of the caller's newest runs that have not ended; nothing where there is none to be read.

    A run that failed has ended, though it can be resumed.
    """
    try:
        with open_app(read_only=True) as app:
            open_ = frozenset(RUN_STATUSES) - FINAL - RESUMABLE
            records = app.journal.runs(RunQuery(statuses=open_, uid=os.getuid(), limit=_SHOWN + 1))
            runs = [(record.id, record.runbook, app.status(record)) for record in records]
    except (DurunError, OSError):
        return ""  # `durun doctor` and every command that needs the journal say why
    if not runs:
        return ""
    width = max(len(name) for _, name, _ in runs[:_SHOWN])
    lines = [
        f"  {run}  {name:<{width}}  {spoken(status):<11}  {_next(run, status)}" for run, name, status in runs[:_SHOWN]
    ]
    more = ["  …            durun history"] if len(runs) > _SHOWN else []
    return "\n".join(["", "Unfinished:", *lines, *more]) + "\n"


def _next(run: str, status: RunStatus) -> str:
    if status == "interrupted":
        return f"durun resume {run}"
    return f"durun show {run}" if status in ("waiting", "in_doubt") else f"durun logs {run} -f"
