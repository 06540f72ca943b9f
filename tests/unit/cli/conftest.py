from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durun.app import App
from durun.cli import main
from durun.journal.sqlite import open_journal
from durun.model import event as ev
from durun.model.event import Event
from events import session, started

from .stand_in import BOOK, Engine

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ROOT = Path(__file__).parents[3]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("DURUN_"):
            monkeypatch.delenv(name)
    place = tmp_path / "state"
    monkeypatch.setenv("DURUN_HOME", str(place))
    return place


@pytest.fixture
def durun(home: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command line in this process."""

    def run(*argv: str) -> Ran:
        capfd.readouterr()
        code = main.run(argv)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def durun_process(home: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """The command line in a process of its own."""

    def start(*argv: str, redirect: str = "", **options: Any) -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        shell = ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh"]
        return subprocess.Popen([*shell, sys.executable, "-m", "durun", *argv], env=env, **options)

    return start


def created(runbook: str = "backup", **more: Any) -> ev.RunCreated:
    facts: dict[str, Any] = {
        "runbook": runbook,
        "digest": "d" * 64,
        "text": "",
        "file": f"{runbook}.yaml",
        "place": "/nowhere",
        "inputs": {"role": "app"},
        "inputs_digest": "i" * 64,
        "tasks": 2,
        "by": {"uid": os.getuid(), "user": "alice", "host": "ops1"},
        "version": "0",
        "surroundings": {"env": {}},
    }
    return ev.RunCreated(**{**facts, **more})


class Recorder:
    """Writes runs into the journal as an engine would have."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, run_id: str, *events: Event, at: float = START) -> str:
        with open_journal(self._home / "journal.db") as journal:
            head = 0
            for number, event in enumerate(events):
                head = journal.append(run_id, head, [event], at + number)
        return run_id

    def many(self, runs: Mapping[str, Sequence[Event]]) -> None:
        """Each run in one transaction."""
        with open_journal(self._home / "journal.db") as journal:
            for run_id, events in runs.items():
                journal.append(run_id, 0, events, START)

    def log(self, run_id: str, folder: int, *lines: str) -> None:
        place = self._home / "runs" / run_id / "attempts" / str(folder)
        place.mkdir(parents=True, mode=0o700)
        (place / "log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    created = staticmethod(created)

    def failed(self, run_id: str, **more: Any) -> str:
        return self(
            run_id,
            created(**more),
            session(),
            started("dump"),
            ev.TaskSucceeded(step="dump", how="ran", outputs={"path": "/tmp/x"}, exit_code=0),
            started("copy", folder=2),
            ev.TaskFailed(step="copy", code="exit", reason="exit code 7", exit_code=7, how="ran"),
            ev.RunEnded(status="failed", exit_code=1),
        )

    def succeeded(self, run_id: str, at: float = START, **more: Any) -> str:
        return self(
            run_id,
            created(tasks=1, **more),
            session(),
            started("dump"),
            ev.TaskSucceeded(step="dump", how="ran", exit_code=0),
            ev.RunEnded(status="succeeded", exit_code=0, outputs={"path": "/tmp/x"}),
            at=at,
        )

    def in_doubt(self, run_id: str, targets: Sequence[str] = ("db1",), **more: Any) -> str:
        doubts: list[Event] = []
        for folder, target in enumerate(targets, 1):
            doubts += [
                started("rotate", target, folder=folder),
                ev.TaskInDoubt(step="rotate", target=target, reason="ended by signal 9"),
            ]
        return self(
            run_id,
            created(tasks=1, **more),
            session(),
            ev.TargetsResolved(step="rotate", targets=[ev.Target(t, t) for t in targets], tasks=len(targets)),
            *doubts,
            ev.RunParked(status="in_doubt", reason="a task is in doubt"),
        )

    def running(self, run_id: str, **more: Any) -> str:
        """A run as a killed process leaves it: the journal says running, nobody holds the lock."""
        return self(run_id, created(**more), session(), started("dump"))


@pytest.fixture
def recorded(home: Path) -> Recorder:
    return Recorder(home)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A stand-in, which remembers what it was asked."""
    engine = Engine()

    def build(app: Any) -> Engine:
        engine.app = app
        return engine

    monkeypatch.setattr(App, "engine", build)
    return engine


@pytest.fixture
def book(tmp_path: Path, home: Path) -> Path:
    path = tmp_path / "backup.yaml"
    path.write_text(BOOK, encoding="utf-8")
    return path
