"""A real keyring: gnome-keyring-daemon on a D-Bus session of its own, in a home of its own.

    from daemons.keyring import Keyring, needs_keyring, unlocked_keyring  # the last is a fixture

`keyring.env` is what a program needs in order to find it. The tests look into it by D-Bus, without durun.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import secretstorage
from jeepney import MatchRule, message_bus
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

PROGRAMS = ("gnome-keyring-daemon", "dbus-run-session")
PASSWORD = b"of the keyring, not in it"
APPLICATION = "Python keyring library"
LIMIT = 30.0
"""Seconds that the bus gets to answer."""

needs_keyring = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS), reason=f"{' or '.join(PROGRAMS)} is not here"
)

# The daemon reads the password up to the end of its stdin. It ends with the bus, the bus with the session's program,
# and that with our end of the pipe.
_SESSION = """\
printf %s "$1" | gnome-keyring-daemon --daemonize --unlock --components=secrets >/dev/null 2>&1 || exit 1
printf '%s\\n' "$DBUS_SESSION_BUS_ADDRESS"
exec cat >/dev/null
"""


class Keyring:
    """A running daemon. The same `home` again later holds what was stored before, as after a reboot."""

    def __init__(self, home: Path, address: str, connection: DBusConnection) -> None:
        self.home = home
        self.address = address
        self._connection = connection
        self.env = {**home_variables(home), "DBUS_SESSION_BUS_ADDRESS": address}

    def get(self, service: str, username: str) -> str | None:
        """What is stored under these names, as any program sees it."""
        found = self.all(service).get(username)
        return found[-1] if found else None

    def put(self, service: str, username: str, value: str, application: str = APPLICATION) -> None:
        """Store a value, the way that the `keyring` library does or as another program."""
        names = {"service": service, "username": username, "application": application}
        self._collection.create_item(f"{username} of {service}", names, value.encode(), replace=True)

    def delete(self, service: str, username: str) -> None:
        """Remove what is stored under these names, without durun."""
        for item in self._collection.search_items({"service": service, "username": username}):
            item.delete()

    def all(self, service: str) -> dict[str, list[str]]:
        """Every value of a service, by username: more than one of a name is somebody's mistake."""
        found: dict[str, list[str]] = {}
        for item in self._collection.search_items({"service": service}):
            found.setdefault(item.get_attributes()["username"], []).append(item.get_secret().decode())
        return found

    def lock(self) -> None:
        """Lock it, as a screen saver or a suspend does: nobody here can unlock it again."""
        self._collection.lock()

    @property
    def _collection(self) -> Any:
        return secretstorage.get_default_collection(self._connection)


def home_variables(home: Path) -> dict[str, str]:
    """HOME and XDG_RUNTIME_DIR of somebody who lives in this folder."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}


@contextlib.contextmanager
def start_keyring(home: Path) -> Iterator[Keyring]:
    """Start the daemon, unlocked; it is gone at the end, and what was stored stays in `home`."""
    env = {"PATH": os.environ["PATH"], **home_variables(home)}
    with (home / "session.log").open("ab") as log:
        session = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", _SESSION, "sh", PASSWORD],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    with session:
        assert session.stdout is not None
        address = session.stdout.readline().decode().strip()
        assert address, (home / "session.log").read_text()
        with bus_at(address) as connection:
            _wait_for_secrets(connection)
            yield Keyring(home, address, connection)


def bus_at(address: str) -> contextlib.closing[DBusConnection]:
    """A connection to a bus, which gets its time: one second, which is usual, may be too short for a busy machine."""
    return contextlib.closing(open_dbus_connection(address, auth_timeout=LIMIT))


def _wait_for_secrets(connection: DBusConnection) -> None:
    """Until the daemon has its name on the bus, which it asks for after it has left its parent; and knows us.

    A new client must not begin with a question for a property: see `durun.secrets.secret_service`.
    """
    name = "org.freedesktop.secrets"
    rule = MatchRule(type="signal", interface=message_bus.interface, member="NameOwnerChanged")
    rule.add_arg_condition(0, name)
    bus = Proxy(message_bus, connection)
    bus.AddMatch(rule)
    with connection.filter(rule) as changes:
        if not bus.NameHasOwner(name)[0]:
            connection.recv_until_filtered(changes, timeout=LIMIT)
    for _ in range(2):
        with contextlib.suppress(secretstorage.ItemNotFoundException):
            secretstorage.get_collection_by_alias(connection, "default")


@contextlib.contextmanager
def start_bus(home: Path, activates: bool = False) -> Iterator[dict[str, str]]:
    """A D-Bus session on which nobody keeps secrets; gives the variables to find it.

    `activates`: the daemon is started there by whoever asks for it, and has no keyring yet.
    """
    config = home / "bus.conf"
    config.write_text(_BUS.format(folder=home), encoding="utf-8")
    options = [] if activates else [f"--config-file={config}"]
    command = ["dbus-run-session", *options, "--", "sh", "-c", "echo $DBUS_SESSION_BUS_ADDRESS; cat"]
    env = {"PATH": os.environ["PATH"], **home_variables(home)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, **pipes) as session:
        assert session.stdout is not None
        yield {**home_variables(home), "DBUS_SESSION_BUS_ADDRESS": session.stdout.readline().decode().strip()}


_BUS = """\
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={folder}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@pytest.fixture
def unlocked_keyring(tmp_path: Path) -> Iterator[Keyring]:
    """A keyring that is unlocked and empty."""
    home = tmp_path / "keyring-home"
    home.mkdir()
    with start_keyring(home) as keyring:
        yield keyring
