"""`durun secret set`: put a secret into the caller's keyring. It is asked for, or read; it is never an argument."""

from __future__ import annotations

import sys

from durun.cli.arguments import JsonOption
from durun.cli.ask import ask_secret, somebody_is_there
from durun.cli.keyring import ServiceArgument, UsernameArgument, open_stored
from durun.errors import SecretUnavailable, UsageError
from durun.secrets.files import LARGEST
from durun.secrets.stored import Name
from durun.secrets.text import fit, from_bytes
from durun.views.json import dump
from durun.views.secrets import changed_json, changed_text


def command(service: ServiceArgument, username: UsernameArgument, as_json: JsonOption = False) -> int:
    """Put a secret into your keyring: it is asked for twice without echo, or read from stdin if that is no terminal."""
    name = Name(service, username)
    with open_stored() as (keyring, stored):
        stored.get(name)  # a keyring that can't be used is told before anybody types
        changed = stored.put(name, _given(name))
        backend = keyring.backend().name
    if as_json:
        sys.stdout.write(dump(changed_json(service, username, "stored" if changed else "unchanged", backend)))
    else:
        said = f"stored in the keyring ({backend})" if changed else "it had this value already"
        sys.stdout.write(changed_text(service, username, said))
    return 0


def _given(name: Name) -> str:
    try:
        if somebody_is_there():
            return fit(_ask(name), "what was typed")
        return from_bytes(sys.stdin.buffer.read(LARGEST + 2), "what was given on stdin")
    except SecretUnavailable as error:
        raise UsageError(error.message, "nothing was stored") from None


def _ask(name: Name) -> str:
    first = ask_secret(f"Secret for {name}: ", "give it on stdin")
    again = ask_secret("The same again: ", "give it on stdin")
    if first != again:
        raise UsageError("these were two different secrets; nothing was stored", "try again")
    return first
