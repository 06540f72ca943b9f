"""`durun verify`: prove that nothing was changed, or name the first thing that was."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import Annotated

from durun.app import open_app
from durun.audit.history import Place, prove
from durun.audit.trust import Keys, read_heads, read_keys
from durun.cli.arguments import Argument, JsonOption, Option, QuietOption
from durun.cli.pick import find_run
from durun.config import Config
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.keys import SigningKey
from durun.secrets.sign import key_id
from durun.views.audit import proof_json, proof_text
from durun.views.json import dump


def command(
    run: Annotated[str | None, Argument("RUN", "The run; without it, every run.")] = None,
    head: Annotated[
        list[str] | None,
        Option("--head", metavar="HEX|FILE", help="A head that was kept elsewhere; may be repeated.", shown=False),
    ] = None,
    key: Annotated[
        list[str] | None,
        Option("--key", metavar="FILE", help="The public key that must have signed; may be repeated.", shown=False),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Prove that nothing was changed: the chain, the register, the signatures, the states, the files."""
    heads = read_heads(head or ())
    with open_app(read_only=True) as app:
        keys = read_keys(key) if key else own_keys(app.config)
        run_id = None if run is None else find_run(app, run)
        proof = prove(Place(app.journal, app.config.home / "runs"), run_id, keys, heads)
    if as_json:
        sys.stdout.write(dump(proof_json("journal" if run_id is None else "run", proof._asdict())))
    elif not quiet:
        sys.stdout.write(proof_text(proof._asdict()))
    return 0


def own_keys(config: Config) -> Keys:
    """The public key of this state directory, if it has one. Raises SecretUnavailable for a record that is no good."""
    with closing(WorkerKeyring()) as keyring:
        key = SigningKey(config.home, keyring, os.environ)
        public = None if key.place() is None else key.public()
    return Keys({} if public is None else {key_id(public): public})
