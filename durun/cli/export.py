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
from durun.audit.export import export
from durun.audit.history import History
from durun.audit.packing import packing_of
from durun.cli.arguments import JsonOption, Option, QuietOption, RunArgument
from durun.cli.pick import find_run
from durun.cli.screen import cannot_write
from durun.engine.local.discretion import close, open_secrecy
from durun.engine.stored import stored_runbook
from durun.errors import UsageError, typed
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.keys import SigningKey
from durun.secrets.known import scrub
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
        digest = write_bundle(app, run_id, path)
    if as_json:
        sys.stdout.write(dump({"schema": SCHEMA, "run": run_id, "file": str(path), "sha256": digest}))
    elif not quiet:
        sys.stdout.write(f"run {run_id} is in {path}\n  sha256 {digest}\n  prove it: durun verify {typed(path)}\n")
    return 0


def free_path(output: str) -> Path:
    """Where the bundle is to be. Raises UsageError for what is there already, and for a name that is none."""
    if not output:
        raise UsageError("--output is missing", "say where to: -o FILE.tar.gz, or -o FILE.tar.zst")
    packing_of(output)
    path = Path(output)
    if path.exists():
        raise UsageError(f"{path} is there already", "remove it, or choose another name")
    return path


def write_bundle(app: App, run_id: str, path: Path) -> str:
    """Write the bundle of a run, packed as its name says; gives its SHA-256. Raises as `export`, SecretUnavailable."""
    with closing(WorkerKeyring()) as keyring:
        signer = Ed25519Signer(SigningKey(app.config.home, keyring, os.environ).private())
    history = History(app.journal, app.config.runs_folder)
    with _known_secrets(app, run_id) as clean:
        return _write(path, export(history, run_id, signer, packing_of(path.name), clean))


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


def _write(path: Path, pieces: Iterator[bytes]) -> str:
    """Write the file whole or not at all, for its owner alone; gives its SHA-256. Raises StorageFailed."""
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    digest = sha256()
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return digest.hexdigest()
