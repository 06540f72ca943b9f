"""The seams of this room: a keyring, whatever program stands behind it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Backend(NamedTuple):
    """Which program keeps the keyring's values; if it is not usable, why not, in one line."""

    name: str
    usable: bool
    why_not: str = ""


class Keyring(Protocol):
    """A keyring of the user. Every call is bounded in time, never asks anybody, and raises SecretUnavailable."""

    def get(self, service: str, username: str) -> str | None:
        """The value, or None if there is none."""

    def put(self, service: str, username: str, value: str) -> None:
        """Keep the value; it takes the place of another one."""

    def delete(self, service: str, username: str) -> bool:
        """Forget the value; whether there was one."""

    def backend(self) -> Backend:
        """What stands behind it. Raises nothing."""
