"""The bench on which durun is killed, and the helpers beside it under names of their own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def _load(name: str, file: Path) -> None:
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_load("crash_harness", Path(__file__).with_name("harness.py"))
_load("crash_terminal", Path(__file__).with_name("terminal.py"))
_load("crash_many_targets", Path(__file__).with_name("many_targets.py"))
_load("crash_secret_forms", Path(__file__).with_name("secret_forms.py"))
_load("crash_secret_books", Path(__file__).with_name("secret_books.py"))
_load("crash_rotation", Path(__file__).with_name("rotation.py"))
_load("crash_provision", Path(__file__).with_name("provision.py"))

from crash_harness import Bench, wait_until  # noqa: E402
from crash_provision import provision as provision  # noqa: E402
from crash_terminal import TWO, Terminal  # noqa: E402

from daemons.openldap import openldap as openldap  # noqa: E402
from daemons.postgres import postgres as postgres  # noqa: E402


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
