"""What the commands of `durun secret` show: names, places and reasons, never a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from durun.model.values import Json
from durun.views.json import SCHEMA
from durun.views.text import one_line, pad, table, width_of

State = Literal["there", "gone", "unknown"]
Verdict = Literal["ok", "unavailable", "later"]


class KeyringFound(NamedTuple):
    """The keyring that is in use, and why it can't be (or empty)."""

    name: str
    why_not: str


class Listed(NamedTuple):
    """What durun put into the keyring, and whether it is still there."""

    service: str
    username: str
    state: State


class Checked(NamedTuple):
    """A secret of a runbook, and whether it can be had; `why` says what is wrong, or why it is looked for later."""

    name: str
    provider: str
    verdict: Verdict
    why: str = ""
    hint: str = ""


def list_text(keyring: KeyringFound, listed: Sequence[Listed]) -> str:
    """The keyring, then a line for each name."""
    rows = [(one_line(entry.service), one_line(entry.username), entry.state) for entry in listed]
    return _keyring_line(keyring) + (table(("SERVICE", "USERNAME", "STATE"), rows, None) if rows else "")


def list_json(keyring: KeyringFound, listed: Sequence[Listed]) -> dict[str, Json]:
    """The same as one object."""
    return {"schema": SCHEMA, "keyring": _keyring_json(keyring), "secrets": [entry._asdict() for entry in listed]}


def check_text(keyring: KeyringFound | None, checked: Sequence[Checked]) -> str:
    """A line for each secret, with what to do below; first the keyring, if one of them is there."""
    names = max((width_of(entry.name) for entry in checked), default=0)
    providers = max((width_of(entry.provider) for entry in checked), default=0)
    lines = [_keyring_line(keyring)] if keyring is not None else []
    hints: set[str] = set()
    for entry in checked:
        said = {"ok": f"ok {entry.why}".rstrip(), "later": f"later: {entry.why}"}.get(entry.verdict, entry.why)
        lines.append(f"{pad(entry.name, names)}  {pad(entry.provider, providers)}  {one_line(said)}\n")
        if entry.hint and entry.hint not in hints:
            hints.add(entry.hint)
            lines.append(f"{'':{names + providers + 4}}hint: {one_line(entry.hint)}\n")
    return "".join(lines)


def check_json(runbook: str, keyring: KeyringFound | None, checked: Sequence[Checked]) -> dict[str, Json]:
    """The same as one object."""
    found = None if keyring is None else _keyring_json(keyring)
    return {"schema": SCHEMA, "runbook": runbook, "keyring": found, "secrets": [entry._asdict() for entry in checked]}


def changed_json(service: str, username: str, status: str, keyring: str) -> dict[str, Json]:
    """What a command did to one name."""
    return {"schema": SCHEMA, "service": service, "username": username, "status": status, "keyring": keyring}


def changed_text(service: str, username: str, said: str) -> str:
    """The same as a line."""
    return f"service {one_line(service)}, username {one_line(username)}: {said}\n"


def _keyring_line(keyring: KeyringFound) -> str:
    return f"keyring: {one_line(f'none can be used: {keyring.why_not}' if keyring.why_not else keyring.name)}\n"


def _keyring_json(keyring: KeyringFound) -> dict[str, Json]:
    return {"name": keyring.name, "usable": not keyring.why_not, "why_not": keyring.why_not}
