"""`durun reap`: close the privileges that runs have left open, for cron."""

from __future__ import annotations

import os

from durun.app import App, open_app
from durun.cli.arguments import JsonOption
from durun.cli.drive import choose_view, drive
from durun.cli.exit_codes import worst
from durun.cli.screen import note, show_error
from durun.config import whoami
from durun.engine.api import ReapRequest
from durun.errors import Busy, DurunError
from durun.journal.api import RunQuery


def command(as_json: JsonOption = False) -> int:
    """Close every privilege of your runs whose time is over, or whose run has ended; for cron, silent if none is."""
    codes: list[int] = []
    with open_app() as app:
        app.tidy()
        found = app.journal.runs(RunQuery(uid=os.getuid()))
        for run_id in [record.id for record in reversed(found) if record.privileged]:
            try:
                codes.append(_reap(app, run_id, as_json))
            except Busy:
                continue  # whoever drives the run closes them
            except DurunError as error:
                codes.append(show_error(error, as_json))
            if codes[-1] in (130, 143):
                break
    if not codes and not as_json:
        note("no privilege of your runs is open")
    return worst(codes)


def _reap(app: App, run_id: str, as_json: bool) -> int:
    request = ReapRequest(run_id, whoami())
    return drive(choose_view(app, as_json, quiet=False), lambda observer: app.engine().reap(request, observer))
