"""`durun prune`: remove old runs that are over; the journal can be proved on."""

from __future__ import annotations

import sys
from hashlib import file_digest
from pathlib import Path
from shlex import quote
from typing import Annotated

from durun.app import App, open_app
from durun.audit.pruning import forget_left_over, prunable, prune
from durun.cli.arguments import JsonOption, Option, QuietOption
from durun.cli.export import write_bundle
from durun.cli.history import parse_since
from durun.cli.screen import note
from durun.engine.local.signing import Signing
from durun.errors import Busy, StorageFailed, UsageError
from durun.model.clock import to_iso
from durun.model.task import RunRecord
from durun.model.values import Json
from durun.views.audit import pruned_text
from durun.views.json import SCHEMA, dump


def command(
    older_than: Annotated[
        str, Option("--older-than", metavar="90d", help="Runs that ended before: 90d, 12w, or a date.", shown=False)
    ] = "",
    export: Annotated[
        str | None, Option("--export", metavar="DIR", help="Export each run into this folder first.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Remove runs that are over; never one that may go on. The register keeps their heads."""
    if not older_than:
        raise UsageError("--older-than is missing", "say how old: --older-than 90d")
    folder = None if export is None else _folder(export)
    pruned: list[dict[str, Json]] = []
    with open_app() as app:
        app.tidy()
        forget_left_over(app.config, app.journal)
        if problem := Signing(app.config, app.journal).begin():
            sys.stderr.write(f"{problem}\n")
        for record in prunable(app.journal, parse_since(older_than, app.clock.now())):
            try:
                pruned.append(_prune(app, record, folder))
            except Busy:
                continue  # it has only just ended: the next time
            if not (as_json or quiet):
                sys.stdout.write(pruned_text(pruned[-1]))
    if as_json:
        sys.stdout.write(dump({"schema": SCHEMA, "pruned": pruned}))
    elif not pruned and not quiet:
        note("no run that is over is that old")
    return 0


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {name}", f"mkdir -p {quote(name)}")
    return folder


def _prune(app: App, record: RunRecord, folder: Path | None) -> dict[str, Json]:
    path = None if folder is None else folder / f"durun-{record.id}.tar.gz"
    if path is not None:
        _export(app, record.id, path)
    head = prune(app.config, app.journal, app.clock, record.id)
    ended = None if record.ended_at is None else to_iso(record.ended_at)
    told = {"run": record.id, "runbook": record.runbook, "status": record.status, "ended_at": ended, "head": head}
    return {**told, "bundle": None if path is None else str(path)}


def _export(app: App, run_id: str, path: Path) -> None:
    """Export a run. A file that an earlier try has left is the same, byte for byte, or it is somebody else's."""
    if not path.exists():
        write_bundle(app, run_id, path)
        return
    again = path.with_name(f".{path.name}.again.tar.gz")
    try:
        digest = write_bundle(app, run_id, again)
        with path.open("rb") as file:
            same = file_digest(file, "sha256").hexdigest() == digest
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}", "see who may read it") from error
    finally:
        again.unlink(missing_ok=True)
    if not same:
        raise UsageError(f"{path} is there already, and is not this run's", "move it away; the run was not pruned")
