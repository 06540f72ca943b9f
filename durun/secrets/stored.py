"""What durun has put into the keyring, and the list of it by name: a keyring can't say what is whose.

A name is in the list before its value is in the keyring, and as long as it is: so nothing that durun put is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from durun.durable import write_durably
from durun.errors import NotAllowed, SecretUnavailable, StorageFailed, UsageError
from durun.secrets.api import Keyring
from durun.secrets.files import read_private
from durun.secrets.keys import alone
from durun.secrets.places import SERVICE, storage
from durun.secrets.text import fit

_VERSION = 1


class Name(NamedTuple):
    """Under what a value is in the keyring."""

    service: str
    username: str

    def __str__(self) -> str:
        return f"service {self.service}, username {self.username}"


class Stored:
    """The caller's keyring with the list of what durun put there, in the state directory `home`, which must be there.

    Every call may raise SecretUnavailable, StorageFailed, UsageError for names that are none, and NotAllowed for those
    of durun's own key.
    """

    def __init__(self, home: Path, keyring: Keyring) -> None:
        self._home = home
        self._list = home / "keyring.json"
        self._keyring = keyring

    def put(self, name: Name, value: str) -> bool:
        """Store the value and read it back; False when it was stored already."""
        _require_fit(name)
        fit(value, f"the value for {name}")
        if self._keyring.get(*name) == value:
            return False
        with self._listed() as names:
            names.add(name)
        self._keyring.put(*name, value)
        if self._keyring.get(*name) != value:
            backend = self._keyring.backend().name
            raise SecretUnavailable(f"the keyring ({backend}) did not keep the value for {name}", "use another keyring")
        return True

    def delete(self, name: Name) -> bool:
        """Remove the value, whoever put it there; False when there was none."""
        _require_fit(name)
        there = self._keyring.delete(*name)
        with self._listed() as names:
            names.discard(name)
        return there

    def get(self, name: Name) -> str | None:
        """The value that is there now."""
        _require_fit(name)
        return self._keyring.get(*name)

    def names(self) -> list[Name]:
        """What durun has put and not deleted, sorted. It may have been removed by others."""
        return sorted(self._read())

    @contextmanager
    def _listed(self) -> Iterator[set[Name]]:
        """The list, to be changed; written if it was."""
        with alone(self._home):
            before = self._read()
            names = set(before)
            yield names
            if names != before:
                said = {"version": _VERSION, "names": [name._asdict() for name in sorted(names)]}
                with storage(self._list):
                    write_durably(self._list, f"{json.dumps(said, indent=1)}\n".encode())

    def _read(self) -> set[Name]:
        content = read_private(self._list)
        if content is None:
            return set()
        try:
            said = json.loads(content)
            if said["version"] == _VERSION:
                return {Name(str(name["service"]), str(name["username"])) for name in said["names"]}
        except (ValueError, TypeError, KeyError):
            pass
        raise StorageFailed(
            f"{self._list} is not a list that this durun knows",
            "move it away: nothing but `durun secret list` needs it",
        )


def _require_fit(name: Name) -> None:
    if name.service == SERVICE:
        raise NotAllowed(f"service {SERVICE} is where durun keeps its own key", "choose another name for the service")
    for what, text in name._asdict().items():
        try:
            fit(text, f"the {what}")
        except SecretUnavailable as error:
            raise UsageError(error.message, "name what the secret is for, and whose it is") from None
