"""`durun cancel`: stop a run."""

from __future__ import annotations

import sys

from durun.app import open_app
from durun.cli.arguments import JsonOption, ReasonOption, RunArgument
from durun.cli.drive import choose_view
from durun.cli.pick import find_run
from durun.cli.verdict import require_reason, verdict_text
from durun.config import whoami
from durun.engine.api import CancelRequest
from durun.views.json import dump
from durun.views.summary import next_commands


def command(run: RunArgument, reason: ReasonOption = "", as_json: JsonOption = False) -> int:
    """Stop a run: what runs is ended, nothing new is started, `finally` is run."""
    require_reason(reason)
    with open_app() as app:
        run_id = find_run(app, run, changes=True)
        view = choose_view(app, as_json, quiet=True)
        outcome = app.engine().cancel(CancelRequest(run_id, reason, whoami()), view)
        tasks = app.journal.tasks(run_id)
    code = 3 if outcome.driver == "self" and outcome.status == "in_doubt" else 0
    if as_json:
        line = {"schema": 1, "run": run_id, "status": outcome.status, "driver": outcome.driver, "exit_code": code}
        sys.stdout.write(dump(line))
        return code
    if outcome.driver == "other":
        pid = (outcome.holder or {}).get("pid", "?")
        sys.stdout.write(f"run {run_id}: cancel asked for; process {pid} stops it\n")
    else:
        sys.stdout.write(verdict_text(f"run {run_id}: {outcome.status.replace('_', ' ')}", ()))
        if code:
            sys.stdout.write(verdict_text("", next_commands(run_id, outcome.status, tasks)))
    return code
