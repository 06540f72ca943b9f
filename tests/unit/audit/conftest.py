"""A state directory with three runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from audited import Made, three_runs


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return three_runs(tmp_path / "state")
