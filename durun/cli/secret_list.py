"""`durun secret list`: what durun has put into the caller's keyring, by name, and which keyring that is."""

from __future__ import annotations

import os
import sys

from durun.cli.arguments import JsonOption
from durun.cli.keyring import open_keyring
from durun.config import load_config
from durun.errors import SecretUnavailable
from durun.secrets.stored import Stored
from durun.views.json import dump
from durun.views.secrets import KeyringFound, Listed, list_json, list_text


def command(as_json: JsonOption = False) -> int:
    """List what durun has put into your keyring, whether it is still there, and which keyring is in use."""
    with open_keyring() as keyring:
        backend = keyring.backend()
        listed, problem = _look(Stored(load_config(os.environ).home, keyring))
    found = KeyringFound(backend.name, backend.why_not)
    sys.stdout.write(dump(list_json(found, listed)) if as_json else list_text(found, listed))
    if problem is not None:
        raise problem
    return 0


def _look(stored: Stored) -> tuple[list[Listed], SecretUnavailable | None]:
    """Each name with its state. A keyring that did not answer once is not asked again."""
    listed: list[Listed] = []
    problem: SecretUnavailable | None = None
    for name in stored.names():
        try:
            there = problem is None and stored.get(name) is not None
        except SecretUnavailable as error:
            problem = error
        listed.append(Listed(*name, "unknown" if problem is not None else "there" if there else "gone"))
    return listed, problem
