"""A real sshd, from Debian's packages, on loopback; its accounts are users of this machine, removed afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemons.people import alone_with_accounts
from daemons.process import place, reserve_port, start, wait_for

CONFIG = """\
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
StrictModes yes
MaxStartups 100
LogLevel VERBOSE
"""
PROGRAM = "/usr/sbin/sshd"
PRIVILEGE_SEPARATION = Path("/run/sshd")


class Account(NamedTuple):
    """A user of this machine, whose first key is in its authorized_keys."""

    user: str
    home: Path
    private: str

    @property
    def authorized(self) -> list[str]:
        """The lines of its authorized_keys."""
        return (self.home / ".ssh" / "authorized_keys").read_text().splitlines()


def new_key(file: Path) -> tuple[str, str]:
    """A key pair, private and public, as OpenSSH makes it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file.name, "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    public = file.with_name(f"{file.name}.pub").read_text()
    return file.read_text(), " ".join(public.split()[:2])


class Sshd:
    """One server with accounts of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = reserve_port()
        self.host_key = ""
        self.accounts: list[Account] = []

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.host_key = new_key(self._folder / "host_key")[1]
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        config = self._folder / "config"
        config.write_text(f"Port {self.port}\n{CONFIG.format(folder=self._folder)}")
        self._process = start([PROGRAM, "-D", "-e", "-f", str(config)], self._log)
        assert wait_for(lambda: "Server listening on" in self.log(), self._process), self.log()

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    def add_account(self, options: str = "") -> Account:
        """A user with a home and one authorized key, whose line has these options."""
        user = f"drn{os.getpid()}x{len(self.accounts)}"
        home = self._folder / user
        # A password of "*" is none, but locks nobody out, as useradd's own "!" does.
        with alone_with_accounts():
            subprocess.run(["useradd", "-M", "-N", "-d", str(home), "-s", "/bin/sh", "-p", "*", user], check=True)
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, parents=True)
        private, public = new_key(self._folder / f"first-key-of-{user}")
        (folder / "authorized_keys").write_text(f"# keys\n{options}{public} first\n")
        (folder / "authorized_keys").chmod(0o600)
        uid = pwd.getpwnam(user).pw_uid
        for path in (home, folder, folder / "authorized_keys"):
            shutil.chown(path, uid, -1)
        account = Account(user, home, private)
        self.accounts.append(account)
        return account

    def remove_accounts(self) -> None:
        """Take the users away again."""
        with alone_with_accounts():
            for account in self.accounts:
                subprocess.run(["userdel", "-f", account.user], check=True, capture_output=True)

    def target(self, account: Account) -> dict[str, Any]:
        """What an inventory says of an account."""
        return {
            "name": account.user,
            "host": "127.0.0.1",
            "port": self.port,
            "user": account.user,
            "host_key": self.host_key,
        }

    def accepts(self, account: Account, private: str) -> bool:
        """Whether one can log in with this key, for real."""
        key = self._folder / "tried"
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)
        key.write_text(private if private.endswith("\n") else f"{private}\n")
        options = (
            "BatchMode=yes IdentitiesOnly=yes IdentityAgent=none StrictHostKeyChecking=no UserKnownHostsFile=/dev/null"
        )
        argv = ["ssh", "-F", "none", "-p", str(self.port), "-l", account.user, "-i", str(key)]
        argv += [word for option in options.split() for word in ("-o", option)]
        asked = subprocess.run([*argv, "127.0.0.1", "true"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert asked.returncode == 0 or "Permission denied" in asked.stderr, asked.stderr
        return asked.returncode == 0


@contextlib.contextmanager
def server(options: Sequence[str]) -> Iterator[Sshd]:
    """A server, running, with one account for each of these options of a key's line."""
    with place("sshd") as folder, contextlib.ExitStack() as stack:
        made = Sshd(folder)
        stack.callback(made.remove_accounts)
        for each in options:
            made.add_account(each)
        made.start()
        stack.callback(made.stop)
        yield made


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    """A server with four accounts; the line of the last one's key has options."""
    if not Path(PROGRAM).exists() or os.getuid() != 0:
        pytest.skip("an sshd with accounts of its own needs openssh-server and root")
    with server(["", "", "", 'from="127.0.0.1,::1",no-port-forwarding ']) as running:
        yield running
