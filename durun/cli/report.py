"""`durun report`: a page about one run, or which runs are evidence for which control."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from durun import __version__
from durun.app import App, open_app
from durun.cli.arguments import Argument, JsonOption, Option
from durun.cli.history import list_runs, parse_since
from durun.cli.pick import find_run
from durun.cli.screen import cannot_write, note
from durun.durable import write_durably
from durun.errors import UsageError


def command(
    run: Annotated[str | None, Argument("RUN", "The run; not with --controls.")] = None,
    output: Annotated[str | None, Option("--output", "-o", metavar="FILE", help="Where the page is written.")] = None,
    controls: Annotated[bool, Option("--controls", help="List which runs are evidence for which control.")] = False,
    since: Annotated[
        str | None, Option(metavar="WHEN", help="With --controls: only runs started since: 90d, 12h, or a date.")
    ] = None,
    as_csv: Annotated[bool, Option("--csv", help="With --controls: write CSV.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Write a page about one run, or list which runs are evidence for which control."""
    if controls:
        if run is not None or output is not None or (as_csv and as_json):
            raise UsageError("--controls is over many runs, in one format", "durun report --controls --since 90d --csv")
        with open_app(read_only=True) as app:
            text = _controls(app, since, as_csv, as_json)
        sys.stdout.write(text)
        if not text:
            note("no run is evidence for a control: a runbook names them under `controls`")
        return 0
    if run is None or output is None:
        raise UsageError("a report is of one run, and written to a file", "durun report RUN -o report.html")
    if as_csv or since is not None:
        raise UsageError("--csv and --since go with --controls", "durun report --controls --since 90d --csv")
    with open_app(read_only=True) as app:
        run_id = find_run(app, run)
        page = _page(app, run_id).encode("utf-8", "backslashreplace")
    _write(Path(output), page)
    if as_json:
        from durun.views.json import SCHEMA, dump

        sys.stdout.write(dump({"schema": SCHEMA, "run": run_id, "file": output, "sha256": sha256(page).hexdigest()}))
    else:
        note(f"{output} is written")
    return 0


def _page(app: App, run_id: str) -> str:
    from durun.views.report.facts import Seal, Subject
    from durun.views.report.page import page

    state = app.state(run_id)
    entries = app.journal.entries(run_id)
    newest = entries[-1] if entries else None
    seal = Seal(newest.digest, newest.key or "", newest.signature is not None) if newest else Seal("", "", False)
    events = app.journal.events(run_id)
    status = app.status(state.record)
    return page(Subject(state, status, app.runbook(state), events, seal, app.clock.now(), __version__))


def _controls(app: App, since: str | None, as_csv: bool, as_json: bool) -> str:
    from durun.views.json import dump
    from durun.views.report.controls import Entry, controls_csv, controls_json, controls_text, covered
    from durun.views.report.steps import looks_of

    now = app.clock.now()
    begin = None if since is None else parse_since(since, now)
    found = []
    for record, status in list_runs(app, [], None, begin, None):
        state = app.state(record.id)
        runbook = app.runbook(state)
        looks = looks_of(runbook, state)
        for control, steps in covered(runbook):
            standing = tuple((step, looks[step][0]) for step in steps)
            found.append(Entry(control, record, status, standing, app.head(record.id)))
    found.sort(key=lambda entry: entry.control)
    if as_json:
        return dump(controls_json(found, begin, now))
    return controls_csv(found) if as_csv else controls_text(found)


def _write(path: Path, page: bytes) -> None:
    """Whole or not at all, and for the owner's eyes only. A device, a pipe and a link are written to, not replaced."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(page)
        else:
            write_durably(path, page)
    except OSError as error:
        raise cannot_write(path, error) from error
