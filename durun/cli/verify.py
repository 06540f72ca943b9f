"""`durun verify`: prove that nothing was changed, or name the first thing that was."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

from durun.app import open_app
from durun.audit.history import History, Proof, prove
from durun.audit.stamped import Vouching, read_vouching
from durun.audit.trust import Keys, read_heads, read_keys
from durun.cli.arguments import Argument, JsonOption, Option, QuietOption
from durun.cli.pick import find_run
from durun.config import Config, load_config
from durun.errors import UsageError
from durun.journal.place import require_private
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.keys import SigningKey
from durun.secrets.sign import key_id
from durun.views.audit import proof_json, proof_text
from durun.views.json import dump


def command(
    run: Annotated[str | None, Argument("RUN|BUNDLE", "The run, or an exported file; without it, every run.")] = None,
    head: Annotated[
        list[str] | None,
        Option("--head", metavar="HEX|FILE", help="A head that was kept elsewhere; may be repeated.", shown=False),
    ] = None,
    key: Annotated[
        list[str] | None,
        Option("--key", metavar="FILE", help="The public key that must have signed; may be repeated.", shown=False),
    ] = None,
    tsa_ca: Annotated[
        str,
        Option("--tsa-ca", metavar="FILE", help="Certificates that vouch for who gave the timestamps.", shown=False),
    ] = "",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Prove that nothing was changed: the chain, the register, the signatures and timestamps, the states, the files."""
    heads, vouching = read_heads(head or ()), read_vouching(tsa_ca)
    if run is not None and is_bundle(run):
        what, proof = "bundle", _prove_bundle(Path(run), key, heads, vouching)
    else:
        what, proof = _prove_journal(run, key, heads, vouching)
    if as_json:
        sys.stdout.write(dump(proof_json(what, proof._asdict())))
    elif not quiet:
        sys.stdout.write(proof_text(proof._asdict()))
    return 0


def is_bundle(word: str) -> bool:
    """Whether the word names a file, and no run: no run has a dot or a slash in its id."""
    return "." in word or "/" in word


def _prove_bundle(path: Path, key: list[str] | None, heads: list[str], vouching: Vouching) -> Proof:
    from durun.audit.opened import prove_bundle

    keys = read_keys(key) if key else own_keys(load_config(os.environ))
    try:
        with path.open("rb") as file:
            return prove_bundle(file, keys, heads, vouching)
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}", "name a run, or a file that `durun export` has written"
        ) from None


def _prove_journal(run: str | None, key: list[str] | None, heads: list[str], vouching: Vouching) -> tuple[str, Proof]:
    with open_app(read_only=True) as app:
        require_private(app.config.journal_path)  # before its keys: whose they are says less
        keys = read_keys(key) if key else own_keys(app.config)
        run_id = None if run is None else find_run(app, run)
        history = History(app.journal, app.config.runs_folder)
        return "journal" if run_id is None else "run", prove(history, run_id, keys, heads, vouching)


def own_keys(config: Config) -> Keys:
    """The public key of this state directory, if it has one. Raises SecretUnavailable for a record that is no good."""
    with closing(WorkerKeyring()) as keyring:
        key = SigningKey(config.home, keyring, os.environ)
        public = None if key.place() is None else key.public()
    return Keys({} if public is None else {key_id(public): public})
