"""Somebody presses TAB in the real shells."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ESCAPES = re.compile(rb"\x1b(\[[0-9;?>=]*[a-zA-Z]|[()][AB0]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>PX^_])|[\x00\x0f\x0e\x07]")
PATIENCE = 40.0

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile"], "source completions/durun.bash"),
    "zsh": (["zsh", "-f"], "autoload -U compinit; compinit -u -D; source completions/_durun"),
    "fish": (["fish", "--no-config"], "source completions/durun.fish"),
}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, argv: list[str], environ: dict[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(argv[0], argv, environ)
        self.seen = b""

    def type(self, text: str) -> None:
        self.seen = b""
        os.write(self.descriptor, text.encode())

    def shows(self, pattern: str) -> str:
        """Wait until what is written since the last typing matches; gives all of it."""
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, text := ESCAPES.sub(b"", self.seen).decode(errors="replace"), re.DOTALL):
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{pattern!r} is not shown:\n{text}"
            self.seen += os.read(self.descriptor, 65536)
        return text

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


@pytest.fixture
def durun_on_path(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "durun"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m durun "$@"\n')
    script.chmod(0o755)
    return folder


def surroundings(durun_on_path: Path, home: Path) -> dict[str, str]:
    return {
        "PATH": f"{durun_on_path}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "DURUN_HOME": str(home),
        "HOME": str(home.parent),
        "TERM": "xterm",
        "COLUMNS": "100",
        "LINES": "30",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture(params=SHELLS)
def shell(request, home, recorded, durun_on_path):
    argv, setup = SHELLS[request.param]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not here")
    recorded.failed("frozenmoon", runbook="backup", steps=["dump", "copy"])
    terminal = Terminal(argv, surroundings(durun_on_path, home))
    try:
        terminal.type(f"{setup}; echo re''ady\r")
        terminal.shows("ready")
        yield terminal
    finally:
        terminal.close()


def test_a_run_its_steps_and_commands_are_completed(shell):
    shell.type("durun log")
    shell.type("\t")
    shell.shows("s ")
    shell.type("froz\t")
    shell.shows("frozenmoon ")
    shell.type("co\t")
    shell.shows("copy ")
    shell.type("--ta\t")
    shell.shows("--target ")


def test_runs_are_offered_with_their_names_and_runbooks_beside_them(shell):
    shell.type("durun show \t\t")
    shell.shows(r"frozenmoon\W.*backup, failed")
    shell.type("\x15durun plan runbooks/hel\t")
    shell.shows(r"runbooks/hello\.yaml")


@pytest.mark.parametrize("name", SHELLS)
def test_the_command_that_the_doctor_names_teaches_a_shell_as_it_starts(name, home, recorded, durun_on_path, tmp_path):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here")
    recorded.failed("frozenmoon", runbook="backup", steps=["dump", "copy"])
    environ = surroundings(durun_on_path, home) | {"HOME": str(tmp_path), "SHELL": shutil.which(name) or ""}
    asked = [durun_on_path / "durun", "doctor", "--json"]

    def checked() -> dict[str, str]:
        found = json.loads(subprocess.run(asked, env=environ, capture_output=True, check=True).stdout)["checks"]
        return next(check for check in found if check["name"] == "completions")

    assert checked()["message"] == f"{name} has none yet"
    subprocess.run(["bash", "-c", checked()["hint"]], env=environ, check=True)
    assert (checked()["status"], checked()["hint"]) == ("ok", "")
    terminal = Terminal([name], environ)
    try:
        terminal.type("echo re''ady\r")
        terminal.shows("ready")
        terminal.type("durun show froz\t")
        terminal.shows("frozenmoon ")
    finally:
        terminal.close()
