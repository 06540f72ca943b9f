"""Loads the simulation, which is a package beside the tests, under a name of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent / "simulation"


def _load() -> None:
    spec = importlib.util.spec_from_file_location(
        "simulation", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulation"] = module
    spec.loader.exec_module(module)


if "simulation" not in sys.modules:
    _load()
