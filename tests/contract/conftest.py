"""The engines of the contract, and the helpers beside them as a package with a name of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

_FOLDER = Path(__file__).parent / "engines"

if TYPE_CHECKING:
    from contract_engines.rig import Rig
    from contract_engines.script import Does

    from durun.journal.api import Journal


def _load() -> None:
    spec = importlib.util.spec_from_file_location(
        "contract_engines", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contract_engines"] = module
    spec.loader.exec_module(module)


if "contract_engines" not in sys.modules:
    _load()


@pytest.fixture
def does() -> Callable[..., Does]:
    """What a step does: `does(7)`, `does(outputs={...})`, `does(signal=9)`, `does(waits=True)`."""
    from contract_engines.script import Does

    return Does


@pytest.fixture
def crash() -> type[BaseException]:
    """What ends an engine like a kill -9."""
    from contract_engines.script import Crash

    return Crash


@pytest.fixture(params=["local", "memory"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An engine with its world; at the end every run in its journal is checked."""
    from contract_engines.rig import local_rig, memory_rig

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
