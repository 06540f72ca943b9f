"""`durun resume`: go on with a run, or with every run that a crash left."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

from durun.app import App, open_app
from durun.cli.arguments import AcceptEnvOption, Argument, JsonOption, Option, ParkOption, QuietOption
from durun.cli.drive import Manner, choose_view, drive, in_turn
from durun.cli.exit_codes import worst
from durun.cli.pick import find_run, find_unfinished
from durun.cli.screen import note
from durun.cli.sources import differing_now, file_of, open_source
from durun.config import whoami
from durun.engine.api import Outcome, ResumeRequest, Source
from durun.engine.requests import ended
from durun.errors import UsageError, first_of
from durun.journal.api import RunQuery
from durun.model.status import DRIVEN, FINAL, RESUMABLE, RunStatus
from durun.model.task import RunRecord


def command(
    run: Annotated[
        str | None,
        Argument(metavar="[RUN]", help="Its id, the beginning of it, or @last; without it, your unfinished one."),
    ] = None,
    every: Annotated[bool, Option("--all", help="For cron: every run that is interrupted or due.")] = False,
    failed: Annotated[bool, Option("--failed", help="With --all: the failed ones too.")] = False,
    runbook: Annotated[
        str | None, Option("--runbook", metavar="FILE", help="Go on under this changed runbook.")
    ] = None,
    latest: Annotated[bool, Option("--latest", help="Go on under the runbook's file as it is now.")] = False,
    accept_env: AcceptEnvOption = None,
    park: ParkOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Go on with a run at its first unfinished task."""
    if every and run is not None:
        raise UsageError("name one run, or give --all", "durun history --status interrupted")
    if runbook is not None and latest:
        raise UsageError("--runbook and --latest exclude each other", "give one of them")
    if every and (runbook is not None or latest):
        raise UsageError("a changed runbook can't be given to all runs", "resume the run by its id")
    if failed and not every:
        raise UsageError("--failed goes with --all", "a run that is named is resumed although it failed")
    manner = Manner(as_json, quiet)
    request = ResumeRequest("", whoami(), accept_env=tuple(accept_env or ()), park=park)
    with open_app() as app:
        app.tidy()
        if every:
            return _resume_all(app, request._replace(fresh=failed), manner)
        record = app.journal.record(find_run(app, run, changes=True) if run is not None else find_unfinished(app))
        if record.status in FINAL:
            return _nothing_to_do(app, record, manner)
        change = _changed_source(app, record.id, runbook, latest, not manner.chatty)
        return _resume(app, request._replace(run_id=record.id, change=change), manner)


def _nothing_to_do(app: App, record: RunRecord, manner: Manner) -> int:
    if manner.as_json:
        view = choose_view(app, manner)
        view.ended(Outcome(record.id, record.status, 0, app.state(record.id), head=app.head(record.id)))
        view.close(0)
    elif not manner.quiet:
        sys.stdout.write(f"{ended(record)}; there is nothing to resume\n")
    return 0


def _changed_source(app: App, run_id: str, runbook: str | None, latest: bool, silent: bool) -> Source | None:
    if runbook is not None:
        return open_source(runbook, silent)
    return open_source(str(file_of(app.created(run_id))), silent) if latest else None


def _resume(app: App, request: ResumeRequest, manner: Manner) -> int:
    view = choose_view(app, manner)
    if request.change is None:
        created = app.created(request.run_id)
        if different := differing_now(created):
            differs = f"{first_of(different)} {'differs' if len(different) == 1 else 'differ'}"
            view.said(
                f"{differs} from what this run was started with; "
                "the stored runbook is used (--latest takes the new one)"
            )
    return drive(view, lambda observer: app.engine().resume(request, observer))


def _resume_all(app: App, request: ResumeRequest, manner: Manner) -> int:
    """One after the other, oldest first; with `fresh`, the failed ones too."""
    found = (record.id for record in due(app, request.fresh))
    # While others were worked on, somebody else may have brought it to an end.
    still_due = (run_id for run_id in found if _is_due(app, app.journal.record(run_id), request.fresh))
    codes = in_turn((partial(_resume, app, request._replace(run_id=run_id), manner) for run_id in still_due), manner)
    if not codes and manner.chatty:
        note("nothing is to be resumed")
    return worst(codes)


def due(app: App, failed: bool) -> list[RunRecord]:
    """The runs that `--all` takes up, oldest first: those that need nobody's word, and failed ones if asked."""
    asked = RESUMABLE if failed else frozenset[RunStatus]()
    found = app.journal.runs(RunQuery(statuses=DRIVEN | asked | {"interrupted", "in_doubt", "waiting"}))
    return [record for record in reversed(found) if _is_due(app, record, failed)]


def _is_due(app: App, record: RunRecord, failed: bool) -> bool:
    return app.can_go_on(record) or (failed and record.status in RESUMABLE)
