"""The caller's keyring, asked through a worker, and the words for why it can't be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from durun.errors import SecretUnavailable
from durun.secrets.api import Backend
from durun.secrets.child import Child, NoAnswer

LIMIT = 10.0
"""Seconds that a call may take."""

PATIENCE = 50.0
"""Seconds more for somebody at the desktop who is asked to unlock it."""

OTHER_SOURCES = "secrets can also come from `env`, `file` (also a systemd credential) or `command`"
NO_KEYRING = f"start one (on a server: `dbus-run-session -- bash`, `gnome-keyring-daemon --unlock`); {OTHER_SOURCES}"
LOCKED = "the keyring is locked, and nobody can unlock it here"
_UNLOCK = f"unlock it first, for example by logging in at the desktop; {OTHER_SOURCES}"


class WorkerKeyring:
    """The keyring that the environment leads to. A call takes up to `limit` seconds.

    `patience`: somebody is there whom the desktop may ask for its password, and has so many seconds more. With 0
    nobody is ever asked.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, limit: float = LIMIT, patience: float = 0.0) -> None:
        self._child = Child(os.environ if environ is None else environ)
        self._limit = limit
        self._patience = patience

    def get(self, service: str, username: str) -> str | None:
        """See Keyring."""
        value = self._call("get", service, username)
        return None if value is None else str(value)

    def put(self, service: str, username: str, value: str) -> None:
        """See Keyring."""
        self._call("put", service, username, value=value)

    def delete(self, service: str, username: str) -> bool:
        """See Keyring."""
        return bool(self._call("delete", service, username))

    def backend(self) -> Backend:
        """See Keyring."""
        try:
            found = self._child.ask({"do": "backend"}, self._limit)
        except NoAnswer as error:
            return Backend("unknown", False, error.why)
        return Backend(found["name"], not found["why_not"], found["why_not"])

    def close(self) -> None:
        """See Keyring."""
        self._child.close()

    def _call(self, verb: str, service: str, username: str, **more: str) -> Any:
        request = {"do": verb, "service": service, "username": username, "ask": self._patience > 0, **more}
        try:
            answer = self._child.ask(request, self._limit, self._patience)
        except NoAnswer as error:
            if error.waits:
                raise SecretUnavailable(LOCKED, _UNLOCK) from None
            raise SecretUnavailable(f"the keyring can't be used here: {error.why}", _UNLOCK) from None
        if "error" not in answer:
            return answer["value"]
        self._child.close()  # the next one looks again: what was wrong may be mended by then
        match answer["error"]:
            case "locked":
                raise SecretUnavailable(LOCKED, _UNLOCK)
            case "unusable":
                raise SecretUnavailable(f"no keyring can be used here: {answer['why']}", NO_KEYRING)
            case _:
                raise SecretUnavailable(f"the keyring did not do it: {answer['why']}", OTHER_SOURCES)
