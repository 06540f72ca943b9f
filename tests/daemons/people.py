"""Real users of this machine beside the one who runs the tests: who may do what, the kernel decides.

They are made by root, of which the tests' setup makes sure, and removed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Person(NamedTuple):
    """A user, with a home folder of their own."""

    name: str
    uid: int
    home: Path

    def does(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, stdin: str = "", *, python: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, with all of their groups, and an environment of their own.

        `python`: it is the tests' own, with durun.
        """
        whole = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **(env or {})}
        whole |= {"PYTHONPATH": str(ROOT)} if python else {}
        # Nobody else can read what the tests were unpacked into, perhaps; what they may write is theirs all the same.
        reads = (
            ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] if python and _hidden(self.uid) else []
        )
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--init-groups", *reads]
        return subprocess.run(
            [*become, *argv], env=whole, cwd="/", input=stdin, capture_output=True, text=True, timeout=50
        )

    def durun(self, home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """durun as this user, with this state directory."""
        return self.durun_under((), home, *arguments, stdin=stdin)

    def durun_under(
        self, before: Sequence[str], home: Path, *arguments: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The same, by a command that starts it."""
        argv = [*before, sys.executable, "-m", "durun", *arguments]
        return self.does(argv, {"DURUN_HOME": str(home)}, stdin, python=True)


@contextlib.contextmanager
def people(group: str, *names: str) -> Iterator[list[Person]]:
    """These users, each in a group of their own and in `group`, with homes that others may pass through. Needs root.

    The names must be nobody else's: other processes of the tests make users, too.
    """
    # Not in pytest's own folders, which it shuts to others.
    folder = Path(tempfile.mkdtemp(prefix="durun-people-"))
    folder.chmod(0o711)
    try:
        with alone_with_accounts():
            subprocess.run(["groupadd", group], check=True)
            for name in names:
                home = str(folder / name)
                subprocess.run(["useradd", "-m", "-U", "-G", group, "-d", home, "-s", "/bin/sh", name], check=True)
        found = [Person(name, pwd.getpwnam(name).pw_uid, folder / name) for name in names]
        for person in found:
            person.home.chmod(0o711)
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with alone_with_accounts():
            for name in names:
                subprocess.run(["userdel", name], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["groupdel", group], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def alone_with_accounts() -> Iterator[None]:
    """One process at a time: useradd and its like give up where another one is at work on the same files."""
    etc = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(etc, fcntl.LOCK_EX)
        yield
    finally:
        os.close(etc)


def _hidden(uid: int) -> bool:
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    script = 'test -x "$1" && test -r "$2"'
    look = [*become, "sh", "-c", script, "sh", sys.executable, str(ROOT / "durun/__main__.py")]
    return subprocess.run(look, check=False, cwd="/").returncode != 0
