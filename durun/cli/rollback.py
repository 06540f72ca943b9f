"""`durun rollback`: undo what a run did."""

from __future__ import annotations

import sys

from durun.app import open_app
from durun.cli.arguments import AcceptEnvOption, JsonOption, QuietOption, ReasonOption, RunArgument
from durun.cli.drive import Manner, choose_view, drive
from durun.cli.pick import find_run
from durun.cli.verdict import request_json, request_text
from durun.config import whoami
from durun.engine.api import Observer, Outcome, RollbackRequest


def command(
    run: RunArgument,
    reason: ReasonOption = "",
    accept_env: AcceptEnvOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Undo what a run did, newest first: what runs is waited for, nothing new is started, each `rollback` is run."""
    outcomes: list[Outcome] = []
    with open_app() as app:
        app.tidy()
        run_id = find_run(app, run, changes=True)
        request = RollbackRequest(run_id, reason, whoami(), tuple(accept_env or ()))

        def work(observer: Observer) -> Outcome:
            outcomes.append(app.engine().rollback(request, observer))
            return outcomes[0]

        code = drive(choose_view(app, Manner(as_json, quiet)), work)
    if outcomes[0].driver == "other":
        asked = outcomes[0]
        text = request_json(asked, "rollback_requested") if as_json else request_text(asked, "rollback", "does")
        sys.stdout.write(text)
    return code
