"""A journal on disk, and runs to put into it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durun.journal.sqlite import SqliteJournal, open_journal
from durun.model import event as ev

ROOT = Path(__file__).parents[3]

PRELUDE = """
import os, sys
from pathlib import Path
from durun.errors import DurunError
from durun.journal.sqlite import open_journal
from durun.model import event as ev
def created(**more):
    return ev.RunCreated(**{**dict(runbook="patch", digest="d", text="t", file="f", place="/", inputs={},
        inputs_digest="i", tasks=9, by={"uid": os.getuid()}, version="1", surroundings={}), **more})
def jump(number, padding=""):
    return ev.RunInterrupted(reason=f"{number} {padding}")
path = Path(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    with open_journal(path) as opened:
        yield opened


@pytest.fixture
def created() -> ev.RunCreated:
    return ev.RunCreated(
        runbook="patch",
        digest="d",
        text="t",
        file="f",
        place="/",
        inputs={},
        inputs_digest="i",
        tasks=9,
        by={"uid": os.getuid()},
        version="1",
        surroundings={},
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program that uses a journal: `start(code, path, prefix=[…])`."""
    running: list[subprocess.Popen[str]] = []

    def begin(code: str, *arguments: object, prefix: list[str] | None = None, **options: Any) -> subprocess.Popen[str]:
        command = [*(prefix or []), sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, env=environment, text=True, **{**pipes, **options})
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
