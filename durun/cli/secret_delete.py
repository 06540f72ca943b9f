"""`durun secret delete`: remove a secret from the caller's keyring."""

from __future__ import annotations

import sys

from durun.cli.arguments import JsonOption
from durun.cli.keyring import ServiceArgument, UsernameArgument, open_stored
from durun.secrets.stored import Name
from durun.views.json import dump
from durun.views.secrets import changed_json, changed_text


def command(service: ServiceArgument, username: UsernameArgument, as_json: JsonOption = False) -> int:
    """Remove a secret from your keyring, whoever put it there. What is not there is fine."""
    with open_stored() as (keyring, stored):
        there = stored.delete(Name(service, username))
        backend = keyring.backend().name
    if as_json:
        sys.stdout.write(dump(changed_json(service, username, "deleted" if there else "not_there", backend)))
    else:
        said = f"deleted from the keyring ({backend})" if there else f"not in the keyring ({backend})"
        sys.stdout.write(changed_text(service, username, said))
    return 0
