"""`durun reap`: close the privileges that runs have left open, for cron."""

from __future__ import annotations

import os
from functools import partial

from durun.app import App, open_app
from durun.cli.arguments import JsonOption
from durun.cli.drive import Manner, choose_view, drive, in_turn
from durun.cli.exit_codes import worst
from durun.cli.screen import note
from durun.config import whoami
from durun.engine.api import ReapRequest
from durun.journal.api import RunQuery


def command(as_json: JsonOption = False) -> int:
    """Close every privilege of your runs whose time is over, or whose run has ended; for cron, silent if none is."""
    manner = Manner(as_json)
    with open_app() as app:
        app.tidy()
        found = app.journal.runs(RunQuery(uid=os.getuid()))
        privileged = [record.id for record in reversed(found) if record.privileged]
        codes = in_turn((partial(_reap, app, run_id, manner) for run_id in privileged), manner)
    if not codes and not as_json:
        note("no privilege of your runs is open")
    return worst(codes)


def _reap(app: App, run_id: str, manner: Manner) -> int:
    request = ReapRequest(run_id, whoami())
    return drive(choose_view(app, manner), lambda observer: app.engine().reap(request, observer))
