"""Days pass between one command and the next: the wall clock of the real durun is set ahead, and cron goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_harness import Bench, Ran

DAY = 24 * 3600.0
STEPS = """
steps:
  - {id: before, run: 'eval "$MARK"'}
  - {id: pause, wait: 48h}
  - {id: after, run: 'eval "$MARK"'}
"""


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose state directory is where it is by default, so that cron finds it without a variable."""
    home = tmp_path / "home"
    home.mkdir()
    made = Bench(tmp_path, home / ".local" / "state" / "durun")
    made.env |= {"HOME": str(home)}
    made.sign = f"HOME={home}"
    for name in ("DURUN_HOME", "XDG_STATE_HOME"):
        made.env.pop(name, None)
    yield made
    made.close()


def cron(bench: Bench, *argv: str, days: float) -> Ran:
    """What cron runs so many days later: nothing of the caller's environment but HOME and a short PATH."""
    clean = ["env", "-i", f"HOME={bench.env['HOME']}", "PATH=/usr/bin:/bin", f"CRASH_CLOCK={days * DAY}"]
    return bench(*argv, prefix=clean)


def test_a_wait_of_two_days_is_left_and_taken_up_by_cron(at_home: Bench) -> None:
    bench = at_home
    ran = bench("run", "--park", str(bench.write(STEPS)))
    assert ran.code == 5, ran
    bench.quiet()
    assert bench.effects() == {"before": 1}
    for days in (0.5, 1.9):
        assert cron(bench, "resume", "--all", "--park", days=days)[:2] == (0, "")
    assert bench.effects() == {"before": 1}
    ran = cron(bench, "resume", "--all", "--park", days=2.1)
    assert ran.code == 0, ran
    assert bench.show()["status"] == "succeeded"
    assert bench.effects() == {"before": 1, "after": 1}
    assert cron(bench, "resume", "--all", "--park", days=3)[:2] == (0, "")
    bench.check()
