"""`durun cancel`: stop a run."""

from __future__ import annotations

import sys

from durun.app import open_app
from durun.cli.arguments import JsonOption, ReasonOption, RunArgument
from durun.cli.exit_codes import IN_DOUBT
from durun.cli.pick import find_run
from durun.cli.verdict import decide, request_json, request_text, require_reason
from durun.config import whoami
from durun.engine.api import CancelRequest, Outcome
from durun.model.status import spoken


def command(run: RunArgument, reason: ReasonOption = "", as_json: JsonOption = False) -> int:
    """Stop a run: what runs is ended, nothing new is started, `finally` is run."""
    require_reason(reason)
    with open_app() as app:
        run_id = find_run(app, run, changes=True)
        request = CancelRequest(run_id, reason, whoami())
        outcome = decide(app, as_json, lambda observer: app.engine().cancel(request, observer))
    if outcome.state is None:
        sys.stdout.write(request_json(outcome, "cancel_requested") if as_json else _text(outcome))
    return IN_DOUBT if outcome.driver == "self" and outcome.status == "in_doubt" else 0


def _text(outcome: Outcome) -> str:
    if outcome.driver == "other":
        return request_text(outcome, "cancel", "stops")
    return f"run {outcome.run_id}: {spoken(outcome.status)}\n"
