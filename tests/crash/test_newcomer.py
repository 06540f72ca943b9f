"""Somebody who has never seen durun, in a real shell, types nothing but what durun itself has just told."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durun.journal.claim import RunLock

ROOT = Path(__file__).parents[2]
ESCAPES = re.compile(r"\x1b(\[[0-9;?>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>])")
PATIENCE = 50.0


class Shell:
    """bash on a terminal of its own, as somebody's home and nothing else."""

    def __init__(self, home: Path) -> None:
        environ = {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile"], environ | {"PS1": "> ", "COLUMNS": "80"})
        self.said = ""
        self.until(r"> ")

    def type(self, line: str, until: str = r"\n> $") -> str:
        """Type a line; what is shown until this pattern is."""
        self.said = ""
        os.write(self.descriptor, f"{line}\r".encode())
        return self.until(until)

    def until(self, pattern: str) -> str:
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, text := ESCAPES.sub("", self.said).replace("\r", "")):
            assert select.select([self.descriptor], [], [], max(0.0, until - time.monotonic()))[0], text
            self.said += os.read(self.descriptor, 65536).decode(errors="replace")
        return text

    def close(self) -> None:
        """As by the cross in the corner of its window: all that is in the foreground gets a HUP."""
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    durun = tmp_path / "bin" / "durun"
    durun.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m durun "$@"\n')
    durun.chmod(0o755)
    return tmp_path


@pytest.fixture
def open_shell(home: Path) -> Iterator[Callable[[], Shell]]:
    opened: list[Shell] = []

    def new() -> Shell:
        opened.append(Shell(home))
        return opened[-1]

    yield new
    for shell in opened:
        try:
            os.kill(shell.pid, signal.SIGKILL)
            shell.close()
        except (OSError, ChildProcessError):
            continue


def told(text: str, beginning: str) -> str:
    """The first command that durun names in this text and that begins so."""
    found = re.findall(rf"(?:`|  |: )({beginning}[^`\n]*?)(?:`| {{2,}}|\n)", text)
    assert found, text
    return str(found[0])


def runner(home: Path) -> int:
    """The process that drives the run."""
    (lock,) = (home / ".local" / "state" / "durun" / "runs").glob("*/lock")
    holder = RunLock(lock).holder()
    assert holder is not None
    return int(str(holder["pid"]))


@pytest.mark.parametrize("loss", ["kill -9", "closed terminal"])
@pytest.mark.parametrize("asked", ["durun new", "durun", "durun show @last"])
def test_from_nothing_to_a_run_that_was_killed_and_resumed(
    home: Path, open_shell: Callable[[], Shell], loss: str, asked: str
) -> None:
    shell = open_shell()
    new = told(shell.type("durun"), "durun new")
    written = shell.type(new)
    begun = shell.type(told(written, "durun run"), until=r"2 running")
    assert "run " in begun
    pid = runner(home)
    drives = os.pidfd_open(pid)
    if loss == "kill -9":
        os.kill(pid, signal.SIGKILL)
        shell.until(r"Killed[^\n]*\n> $")
    else:
        shell.close()
        assert select.select([drives], [], [], PATIENCE)[0], "the runner outlives its terminal"
        shell = open_shell()
    os.close(drives)
    advice = written if asked == "durun new" else shell.type(asked)
    ended = shell.type(told(advice, "durun resume"), until=r"head [0-9a-f]{64}\n> $")
    assert "6 succeeded" in ended
    logged = Counter(re.findall(r"\| (\w+ done)", shell.type("durun logs @last | cat")))
    assert logged == {"one done": 1, "two done": 1, "three done": 1, "four done": 1, "all done": 1}
    assert "Unfinished" not in shell.type("durun")
