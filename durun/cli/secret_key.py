"""`durun secret key`: where durun's own key is, to which secrets are sealed; and taking it elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

from durun.cli.arguments import JsonOption, Option
from durun.cli.keyring import open_keyring
from durun.config import load_config
from durun.errors import UsageError
from durun.journal.place import prepare
from durun.secrets.keys import SealKey
from durun.views.json import dump


def command(
    move: Annotated[
        str | None,
        Option("--move", metavar="keyring|file", help="Take it there, for example into a file for cron."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Show where durun's own key is, to which secrets are sealed; or take it elsewhere."""
    config = load_config(os.environ)
    with open_keyring() as keyring:
        key = SealKey(config.home, keyring, os.environ)
        if move is not None:
            place = _place(move)
            prepare(config.journal_path)
            key.move(place)
        found = key.place()
        if as_json:
            sys.stdout.write(dump({"schema": 1, "place": found, "at": key.place_name()}))
        else:
            sys.stdout.write(f"{_text(key)}\n")
    return 0


def _place(word: str) -> Literal["keyring", "file"]:
    match word:
        case "keyring" | "file":
            return word
        case _:
            raise UsageError(f"the key can't be moved to `{word}`", "--move keyring, or --move file")


def _text(key: SealKey) -> str:
    if key.place() is None:
        return "there is no seal key yet: it is made when the first secret is sealed"
    return f"durun's seal key is in {key.place_name()}"
