"""`durun export`: one run as a file that can be proved anywhere, without durun."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from durun.app import App, open_app
from durun.audit.archive import packing_of
from durun.audit.export import export
from durun.audit.history import Place
from durun.cli.arguments import JsonOption, Option, QuietOption, RunArgument
from durun.cli.pick import find_run
from durun.engine.local.discretion import close, open_secrecy
from durun.engine.requests import stored_runbook
from durun.errors import StorageFailed, UsageError
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.keys import SigningKey
from durun.secrets.known import scrub
from durun.secrets.seal import write_sealed
from durun.secrets.sign import Ed25519Signer
from durun.views.json import SCHEMA, dump


def command(
    run: RunArgument,
    output: Annotated[
        str, Option("--output", "-o", metavar="FILE", help="Where to: FILE.tar.gz or FILE.tar.zst.", shown=False)
    ] = "",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Write one run into a signed bundle: events, runbook, files, and how to prove them without durun."""
    with open_app() as app:
        run_id = find_run(app, run)
        path = free_path(output)
        content = bundle_of(app, run_id, path)
    write(path, content)
    digest = sha256(content).hexdigest()
    if as_json:
        sys.stdout.write(dump({"schema": SCHEMA, "run": run_id, "file": str(path), "sha256": digest}))
    elif not quiet:
        sys.stdout.write(f"run {run_id} is in {path}\n  sha256 {digest}\n  prove it: durun verify {path}\n")
    return 0


def free_path(output: str) -> Path:
    """Where the bundle is to be. Raises UsageError for what is there already, and for a name that is none."""
    if not output:
        raise UsageError("where to?", "-o FILE.tar.gz, or -o FILE.tar.zst")
    packing_of(output)
    path = Path(output)
    if path.exists():
        raise UsageError(f"{path} is there already", "remove it, or choose another name")
    return path


def bundle_of(app: App, run_id: str, path: Path) -> bytes:
    """The bundle of a run, packed as its name says. Raises what `export` raises, SecretUnavailable."""
    with closing(WorkerKeyring()) as keyring:
        signer = Ed25519Signer(SigningKey(app.config.home, keyring, os.environ).private())
    place = Place(app.journal, app.config.home / "runs")
    with _known_secrets(app, run_id) as clean:
        return export(place, run_id, signer, packing_of(path.name), clean)


@contextmanager
def _known_secrets(app: App, run_id: str) -> Iterator[Callable[[str], str]]:
    """Takes out of a text what is secret in the run, as far as it can be opened here: the last net of several."""
    state = app.state(run_id)
    secrecy = open_secrecy(app.config, run_id, state.created.place, stored_runbook(state))
    try:
        if secrecy is not None:
            secrecy.recall_if_possible(state)
        yield scrub
    finally:
        close(secrecy)


def write(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, for its owner alone. Raises StorageFailed."""
    try:
        write_sealed(path, content)
    except OSError as error:
        raise StorageFailed(f"{path}: {error.strerror}", "make room, or choose another place") from error
