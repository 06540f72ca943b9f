"""The doors to secrets: a keyring, and the providers that plugins bring.

Whatever stands behind them, a call ends in bounded time, asks nobody anything where no terminal is, and gives a
value or raises SecretUnavailable, whose text never holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from durun.model.values import Json


class Backend(NamedTuple):
    """The keyring that is in use: its name, and why durun won't or can't use it (or empty)."""

    name: str
    usable: bool
    why_not: str = ""


class Keyring(Protocol):
    """A store of secrets by service and username. Every call but `close` may raise SecretUnavailable."""

    def get(self, service: str, username: str) -> str | None:
        """The value; None when nothing is stored under these names."""

    def put(self, service: str, username: str, value: str) -> None:
        """Store the value, in the place of what was there."""

    def delete(self, service: str, username: str) -> bool:
        """Remove the value; False when there was none."""

    def backend(self) -> Backend:
        """What is in use here. One that can't be used is told, not raised."""

    def close(self) -> None:
        """Let go of what was started for it; a later call starts it anew."""


class ProviderContext(NamedTuple):
    """What a plugin's provider may know: the runbook's folder, and the variables of the caller."""

    folder: str
    environ: Mapping[str, str]


class Provider(Protocol):
    """A plugin's provider: an entry point of the group `durun.secrets`, named as runbooks name it.

    It is called in a process of its own that is killed when it takes too long, with no terminal.
    """

    def __call__(self, spec: Json, context: ProviderContext) -> str:
        """The secret that `spec`, what stands under the provider's name, describes.

        Raises SecretUnavailable when it can't be had: its message is shown, so it must not hold a value. Of any
        other exception only the kind is shown.
        """
