"""`durun secret key`: where durun's own keys are, the one to which secrets are sealed and the one that signs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

from durun.cli.arguments import JsonOption, Option
from durun.cli.keyring import open_keyring
from durun.config import load_config
from durun.errors import UsageError
from durun.journal.place import prepare
from durun.secrets.keys import OwnKey, SealKey, SigningKey
from durun.secrets.sign import key_id, to_pem
from durun.views.json import SCHEMA, dump


def command(
    move: Annotated[
        str | None,
        Option("--move", metavar="keyring|file", help="Take it there, for example into a file for cron."),
    ] = None,
    signing: Annotated[
        bool, Option("--signing", help="The key that signs, with its public half for those who verify.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Show where durun's own key is, to which secrets are sealed, or the one that signs; or take it elsewhere."""
    config = load_config(os.environ)
    with open_keyring() as keyring:
        key = (SigningKey if signing else SealKey)(config.home, keyring, os.environ)
        if move is not None:
            place = _place(move)
            prepare(config.journal_path)
            key.move(place)
        if as_json:
            sys.stdout.write(dump(_json(key, signing)))
        else:
            sys.stdout.write(_text(key, signing))
    return 0


def _place(word: str) -> Literal["keyring", "file"]:
    match word:
        case "keyring" | "file":
            return word
        case _:
            raise UsageError(f"the key can't be moved to `{word}`", "--move keyring, or --move file")


def _json(key: OwnKey, signing: bool) -> dict[str, object]:
    found: dict[str, object] = {"schema": SCHEMA, "place": key.place(), "at": key.place_name()}
    if not signing:
        return found
    public = key.public() if found["place"] else None
    named = {"key": None, "pem": None} if public is None else {"key": key_id(public), "pem": to_pem(public).decode()}
    return found | named


def _text(key: OwnKey, signing: bool) -> str:
    if key.place() is None:
        made = "the first run makes it" if signing else "it is made when the first secret is sealed"
        return f"there is no {key.word} yet: {made}\n"
    said = f"durun's {key.word} is in {key.place_name()}\n"
    if signing:
        said += f"its id is {key_id(key.public())}\n{to_pem(key.public()).decode()}"
    return said
