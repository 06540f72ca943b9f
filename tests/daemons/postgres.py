"""A real PostgreSQL, from Debian's packages: its own data folder, a port on loopback, and a log of every statement."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemons.process import place, reserve_port, start, wait_for

OWNER = "postgres"
HBA = """\
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "log_statement": "all",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "16MB",
    "fsync": "off",
    "lc_messages": "C",
}


class Role(NamedTuple):
    """A role that logs in, with a database of its own."""

    name: str
    password: str


def programs() -> Path | None:
    """The folder of the newest server's programs, None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """One server. `folder` is reachable for its user."""

    def __init__(self, folder: Path) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._bin = bin_folder
        self._data = folder / "data"
        self.sockets = folder / "sockets"
        self._log = folder / "log"
        self.port = reserve_port()
        self._process: subprocess.Popen[bytes] | None = None

    def create(self, like: Postgres | None = None) -> None:
        """Make its data folder; a copy of another server's is quicker than a new one."""
        self._data.parent.mkdir()
        self._data.parent.chmod(0o755)
        self.sockets.mkdir(mode=0o700)
        self._data.mkdir(mode=0o700)
        if os.getuid() == 0:
            for folder in (self._data, self.sockets):
                shutil.chown(folder, OWNER, OWNER)
        if like is not None:
            subprocess.run(["cp", "-a", f"{like._data}/.", str(self._data)], check=True)
            return
        options = ["--username", OWNER, "--no-sync", "--encoding", "UTF8", "--locale", "C", "--auth", "trust"]
        made = start([str(self._bin / "initdb"), *options, "-D", str(self._data)], self._log, user=OWNER)
        assert made.wait() == 0, self._log.read_text()
        (self._data / "pg_hba.conf").write_text(HBA)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.sockets)}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = start(
            [str(self._bin / "postgres"), "-D", str(self._data), *given], self._log, user=OWNER, stop="QUIT"
        )
        assert wait_for(lambda: self._asked("select 1").returncode == 0, self._process), self.log()

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    def _asked(self, statements: str) -> subprocess.CompletedProcess[str]:
        argv = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-p", str(self.port), "-U", OWNER]
        return subprocess.run([*argv, "-f", "-"], input=statements, capture_output=True, text=True, check=False)

    def sql(self, statements: str) -> str:
        """What the administrator is told."""
        asked = self._asked(statements)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.strip()

    def new_roles(self, count: int, prefix: str) -> list[Role]:
        """Roles with databases of the same names. Their first passwords are in no log."""
        roles = [Role(f"{prefix}_{number}", secrets.token_urlsafe(24)) for number in range(1, count + 1)]
        made = "".join(f"CREATE ROLE {role.name} LOGIN PASSWORD '{role.password}';\n" for role in roles)
        made += "".join(f"CREATE DATABASE {role.name} OWNER {role.name} STRATEGY file_copy;\n" for role in roles)
        self.sql(f"SET log_statement = 'none';\n{made}")
        return roles

    def target(self, role: Role) -> dict[str, Any]:
        """What an inventory says of a role's database."""
        return {"name": role.name, "host": "127.0.0.1", "port": self.port, "database": role.name, "role": role.name}

    def accepts(self, role: str, password: str) -> bool:
        """Whether one can log in, for real, over TCP."""
        argv = ["psql", "-XAtqw", "-h", "127.0.0.1", "-p", str(self.port), "-U", role, "-d", role, "-c", "select 1"]
        env = {"PATH": os.environ["PATH"], "PGPASSWORD": password, "PGPASSFILE": "/dev/null"}
        asked = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return True
        assert "password authentication failed" in asked.stderr, asked.stderr
        return False

    def changes(self, role: str) -> int:
        """How often the role's password was changed, by the server's own log."""
        return len(re.findall(rf'statement: ALTER ROLE "?{role}"? ', self.log()))


@contextlib.contextmanager
def servers(count: int) -> Iterator[Sequence[Postgres]]:
    """So many servers, running."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(place("postgres"))
        found = [Postgres(folder / str(number)) for number in range(count)]
        for server in found:
            server.create(like=found[0] if server is not found[0] else None)
        for server in found:
            server.start()
            stack.callback(server.stop)
        yield found


@pytest.fixture(scope="session")
def postgres() -> Iterator[Sequence[Postgres]]:
    """Two servers."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with servers(2) as running:
        yield running
