"""Every engine and every journal of the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contract.engines.rig import Rig
    from contract.engines.script import Does
    from durun.journal.api import Journal


@pytest.fixture
def does() -> Callable[..., Does]:
    """What a step does: `does(7)`, `does(outputs={...})`, `does(signal=9)`, `does(waits=True)`."""
    from contract.engines.script import Does

    return Does


@pytest.fixture
def crash() -> type[BaseException]:
    """What ends an engine like a kill -9."""
    from contract.engines.script import Crash

    return Crash


@pytest.fixture(params=["local", "memory"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An engine with its world; at the end every run in its journal is checked."""
    from contract.engines.rig import local_rig, memory_rig

    if request.param == "memory":
        found = memory_rig()
        yield found
        found.close()
        return
    found, close = local_rig(tmp_path, monkeypatch)
    try:
        yield found
        found.close()
    finally:
        close()


@pytest.fixture(params=["sqlite", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """The journal in SQLite, and the one in memory that other tests trust."""
    from durun.journal.memory import MemoryJournal
    from durun.journal.sqlite import open_journal

    found: Journal = MemoryJournal() if request.param == "memory" else open_journal(tmp_path / "state" / "journal.db")
    yield found
    found.close()
