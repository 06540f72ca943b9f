"""What has passed for a run, by what the machine counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from durun.engine.local import elapsed
from durun.engine.local.elapsed import LocalClock


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds since the start of the machine, to be changed."""
    seconds = [100.0]
    monkeypatch.setattr(elapsed, "_uptime", lambda: seconds[0])
    return seconds


def clock(runs: Path) -> LocalClock:
    return LocalClock(lambda run: runs / run)


def test_another_process_knows_what_has_passed(tmp_path: Path, counted: list[float]) -> None:
    (tmp_path / "r1").mkdir()
    assert clock(tmp_path).least("r1") == 0
    clock(tmp_path).saw("r1", 1000)
    counted[0] += 50
    assert clock(tmp_path).least("r1") == 1050
    assert (tmp_path / "r1" / "clock").stat().st_mode & 0o777 == 0o600


def test_a_clock_that_is_set_forward_takes_it_along_and_one_that_is_set_back_does_not(
    tmp_path: Path, counted: list[float]
) -> None:
    (tmp_path / "r1").mkdir()
    seen = clock(tmp_path)
    for now, least in ((1000, 1000), (1000.5, 1000), (5000, 5000), (900, 5000)):
        seen.saw("r1", now)
        assert clock(tmp_path).least("r1") == least


@pytest.mark.parametrize("content", ["", "here", "another-start 5000", "x y z"])
def test_what_was_written_before_a_restart_or_only_half_is_nothing(
    tmp_path: Path, counted: list[float], content: str
) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "clock").write_text(content)
    assert clock(tmp_path).least("r1") == 0


def test_a_run_without_a_folder_is_no_trouble(tmp_path: Path, counted: list[float]) -> None:
    clock(tmp_path).saw("r1", 1000)
    assert clock(tmp_path).least("r1") == 0
