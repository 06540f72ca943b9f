"""`durun run`: start a run, or find the one that was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from durun.app import App, open_app
from durun.cli.arguments import Argument, InputOption, InputsOption, JsonOption, Option, ParkOption, QuietOption
from durun.cli.ask import ask_secret, somebody_is_there
from durun.cli.drive import Manner, choose_view, drive, report_standing
from durun.cli.group import skipped, when_free
from durun.cli.sources import open_source
from durun.config import whoami
from durun.engine.api import Observer, Outcome, ResumeRequest, StartRequest
from durun.engine.requests import inputs_digest, unfinished
from durun.errors import Changed, GroupHeld, UsageError
from durun.journal.api import RunQuery, SequenceConflict
from durun.language.inputs import Given, given_inputs, read_inputs_file, to_ask
from durun.model.runbook import Input, Runbook
from durun.model.status import RESUMABLE
from durun.model.task import RunRecord

MAX_REQUEST_ID = 256


def command(
    runbook: Annotated[
        str, Argument(metavar="RUNBOOK", help="The runbook's file; `durun new NAME` writes a first one.")
    ],
    inputs: InputOption = None,
    inputs_file: InputsOption = None,
    request_id: Annotated[
        str | None, Option(metavar="KEY", help="The same key twice is the same run: it is started once.")
    ] = None,
    resume_or_start: Annotated[
        bool, Option("--resume-or-start", help="For cron: go on with the unfinished run of the same inputs.")
    ] = False,
    failed: Annotated[bool, Option("--failed", help="With --resume-or-start: go on with a failed run too.")] = False,
    target: Annotated[
        list[str] | None,
        Option("--target", "-t", metavar="KEY", help="Only this target; may be repeated.", shown=False),
    ] = None,
    park: ParkOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Start a run of a runbook."""
    if failed and not resume_or_start:
        raise UsageError("--failed goes with --resume-or-start", "a failed run is taken up by: durun resume RUN")
    _check_request_id(request_id)
    manner = Manner(as_json, quiet)
    with open_app() as app:
        app.tidy()
        source = open_source(runbook, not manner.chatty)
        given = _given(source.runbook, inputs or (), inputs_file)
        if target:
            from durun.cli.selection import refuse_unknown  # few starts choose

            refuse_unknown(source, given.plain, target)
        request = StartRequest(
            source,
            given.plain,
            whoami(),
            request_id,
            tuple(target or ()),
            resume_or_start,
            given.secret,
            app.fingerprints(given.secret),
            park,
        )
        return _Start(app, request, failed, manner).run()


class _Start:
    """A start as it was asked for. `failed`: with a failed run of the same inputs it is gone on, too."""

    def __init__(self, app: App, request: StartRequest, failed: bool, manner: Manner) -> None:
        self._app = app
        self._engine = app.engine()
        self._request = request
        self._failed = failed
        self._manner = manner

    def run(self) -> int:
        """Start the run, or go on with the one that was meant; the exit code."""
        try:
            while (code := self._instead()) is None:
                try:
                    return self._drive(lambda observer: self._engine.start(self._request, observer))
                except SequenceConflict:
                    continue  # somebody else was faster by a moment
            return code
        except GroupHeld as held:
            # It may be the very run that was meant, made by somebody who was faster by a moment.
            if (earlier := same_request(self._app, self._request)) is not None:
                return self._made_before(earlier)
            if self._on_conflict != "skip":
                raise
            return skipped(held, self._manner)

    def _instead(self) -> int | None:
        """What is done instead of a start, for the run that was meant is there: its exit code."""
        if (earlier := same_request(self._app, self._request)) is not None:
            return self._made_before(earlier)
        if self._request.alone and (found := self._app.journal.runs(unfinished(self._request))):
            return self._go_on(found[0])
        return None

    def _made_before(self, record: RunRecord) -> int:
        note = f"request {record.request_id} was made before: this is its run"
        return report_standing(self._app, record, self._manner, note)

    def _go_on(self, record: RunRecord) -> int:
        """Take up a run that needs nobody (a failed one only if asked); any other is told, and nothing started."""
        if self._app.can_go_on(record) or (self._failed and record.status in RESUMABLE):
            resume = ResumeRequest(record.id, whoami(), fresh=self._failed, park=self._request.park)
            return self._drive(lambda observer: self._engine.resume(resume, observer))
        note = f"nothing was started: run {record.id} of the same inputs is not finished"
        return report_standing(self._app, record, self._manner, note)

    def _drive(self, work: Callable[[Observer], Outcome]) -> int:
        """Do the work, put off while another run holds the concurrency group, if the runbook says so."""
        view = choose_view(self._app, self._manner)
        if self._on_conflict == "wait" and not self._request.park:
            return drive(view, lambda observer: when_free(self._app, work, observer))
        return drive(view, work)

    @property
    def _on_conflict(self) -> str:
        concurrency = self._request.source.runbook.concurrency
        return "fail" if concurrency is None else concurrency.on_conflict


def _check_request_id(request_id: str | None) -> None:
    """Raise UsageError for one that can't be meant: `--request-id "$UNSET"` would be one run for ever."""
    if request_id is not None and not (request_id.isprintable() and 1 <= len(request_id.strip()) <= MAX_REQUEST_ID):
        raise UsageError(
            f"{'an empty request id' if not request_id.strip() else 'this request id'} can't be told from others",
            f"give 1 to {MAX_REQUEST_ID} printable characters, another one for each run that is meant",
        )


def _given(runbook: Runbook, pairs: Sequence[str], file: str | None) -> Given:
    """The inputs. A secret one that is missing is asked for, where somebody can answer."""
    values = None if file is None else read_inputs_file(file, runbook)
    asked = to_ask(values, runbook) if file != "-" and somebody_is_there() else {}
    answers = {name: ask_secret(_question(name, declared), "give it by --inputs -") for name, declared in asked.items()}
    return given_inputs(pairs, values, runbook, answers)


def _question(name: str, declared: Input) -> str:
    return f"{name} ({declared.description}): " if declared.description else f"{name}: "


def same_request(app: App, request: StartRequest) -> RunRecord | None:
    """The run that was started under the same request id, if there is one. Raises Changed if its inputs were others."""
    if request.request_id is None:
        return None
    query = RunQuery(runbook=request.source.runbook.name, request_id=request.request_id, limit=1)
    found = next(iter(app.journal.runs(query)), None)
    if found is not None and found.inputs_digest != inputs_digest(request):
        raise Changed(
            f"request id {request.request_id} was used for run {found.id}, with other inputs",
            f"use another request id, or look at it: durun show {found.id}",
        )
    return found
