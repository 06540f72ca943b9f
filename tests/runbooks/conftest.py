"""Runs the shipped runbooks through the installed command, in a home of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemons.openldap import openldap as openldap
from daemons.postgres import postgres as postgres
from daemons.sshd import sshd as sshd

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "runbooks"
PATIENCE = 30.0


@dataclass
class Durun:
    """The command `durun` with a state folder of its own."""

    home: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "durun", *map(str, arguments)]

    def __call__(self, *arguments: object, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """What the command printed; fails the test unless it ended with `code`."""
        done = subprocess.run(
            self.command(*arguments), env={**self.environment, **(env or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: object, code: int = 0) -> Any:
        done = subprocess.run(
            self.command(*arguments, "--json"), env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """The command in the background, with its events on stdout."""
        process = subprocess.Popen(
            self.command(*arguments, "--json"), env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run_id(self) -> str:
        """The only run there is."""
        (run,) = self.json("history")
        return str(run["id"])


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _stop(pid: int) -> None:
    """It begins nothing any more, or has ended."""
    with suppress(OSError):
        os.kill(pid, signal.SIGSTOP)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
            select.select([], [], [], 0.001)


def _stopped_family(pid: int) -> list[int]:
    """The process and all that descends from it. Each is stopped before its children are listed: so none is missed."""
    found: list[int] = []
    rest = [pid]
    while rest:
        _stop(rest[-1])
        found.append(rest.pop())
        rest += _children(found[-1])
    return found


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture
def durun(tmp_path: Path) -> Iterator[Durun]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    home = tmp_path / "state"
    command = Durun(home, {**kept, "DURUN_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"})
    yield command
    for process in command.started:
        _kill(process)


@pytest.fixture
def kill_after() -> Callable[..., None]:
    """kill_after(process, step, count): kill -9 the runner when that many tasks of a step have succeeded."""

    def kill(process: subprocess.Popen[str], step: str, count: int) -> None:
        seen = 0
        for event in _events(process):
            seen += event["event"] == "task_succeeded" and event["step"] == step
            if seen == count:
                break
        assert seen == count, f"the run ended after {seen} of {step}"
        _kill(process)

    return kill


@pytest.fixture
def kill_all() -> Callable[..., None]:
    """kill_all(process): kill -9 the runner, its supervisor and every step that runs, as a power cut would."""

    def kill(process: subprocess.Popen[str]) -> None:
        with ExitStack() as ends:
            family = []
            for pid in _stopped_family(process.pid):
                with suppress(ProcessLookupError):
                    family.append(os.pidfd_open(pid))
                    ends.callback(os.close, family[-1])
            for one in family:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(one, signal.SIGKILL)
            _kill(process)
            for one in family:
                assert select.select([one], [], [], PATIENCE)[0]

    return kill
