"""The bench on which durun is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until
from crash.provision import provision as provision
from crash.terminal import TWO, Terminal
from daemons.openldap import openldap as openldap
from daemons.postgres import postgres as postgres


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A state directory, a place for runbooks, a file of effects, and durun as a real process."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB, that may be filled."""
    import subprocess

    place = tmp_path / "room"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a file system of its own can't be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def fifo(bench: Bench) -> Path:
    return bench.fifo()


@pytest.fixture
def book(bench: Bench, fifo: Path) -> str:
    return str(bench.write(TWO.format(fifo=fifo)))


@pytest.fixture
def terminal(bench: Bench, book: str) -> Iterator[Terminal]:
    """A run on a terminal, whose first step has had its effect and waits."""
    made = Terminal(bench, "run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    yield made
    made.close()
