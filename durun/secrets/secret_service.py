"""The keyrings of Linux desktops, which speak the Secret Service protocol on D-Bus. Only a worker loads this."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

_BACKENDS = ("keyring.backends.SecretService", "keyring.backends.libsecret")
_NAME = "org.freedesktop.secrets"
_INTRODUCTIONS = 2


def keep_connection() -> None:
    """Have all of this process use one connection, whose first questions can do no harm.

    The `keyring` library opens one for each call, and asks for a property first. gnome-keyring aborts now and then
    when it gets to that before it has noted a new client (GNOME/gnome-keyring#195), and comes back locked. What
    ReadAlias asks, it only answers wrongly then.
    """
    try:
        import secretstorage
    except ImportError:
        return  # another system, with another keyring
    secretstorage.dbus_init = _Connection(secretstorage.dbus_init)


class _Connection:
    """Stands for `dbus_init`: gives the same connection each time, which nobody can close."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._kept: Any = None
        self._known = False

    def __call__(self) -> Any:
        if self._kept is None:
            self._kept = self._connected()
            self._kept.close = lambda: None  # it lives as long as the process
        if not self._known and self._is_running():
            self._introduce()
        return self._kept

    def _connected(self) -> Any:
        """The library gives the bus one second, which is short on a busy machine. Whoever waits for us ends that."""
        while True:
            with contextlib.suppress(TimeoutError):
                return self._connect()

    def _is_running(self) -> bool:
        from jeepney import message_bus
        from jeepney.io.blocking import Proxy

        return bool(Proxy(message_bus, self._kept).NameHasOwner(_NAME)[0])

    def _introduce(self) -> None:
        import secretstorage

        for _ in range(_INTRODUCTIONS):
            with contextlib.suppress(secretstorage.SecretStorageException):
                secretstorage.get_collection_by_alias(self._kept, "default")
        self._known = True


def is_locked(backend: Any) -> bool:
    """Whether somebody would be asked for a password, as far as that can be known without asking."""
    if type(backend).__module__ not in _BACKENDS:
        return False
    import secretstorage

    bus = secretstorage.dbus_init()
    try:
        if path := getattr(backend, "preferred_collection", None):
            return bool(secretstorage.Collection(bus, path).is_locked())
        return bool(secretstorage.get_collection_by_alias(bus, "default").is_locked())
    except secretstorage.ItemNotFoundException:
        return True  # there is none yet: making one asks for a new password
