"""durun is killed around the moment at which somebody is to be told: they are told, if need be by the next process."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.harness import Bench, wait_until

STEPS = """
notify:
  - {events: [succeeded], run: 'cat >/dev/null; echo "$DURUN_IDEMPOTENCY_KEY" >>"$EFFECTS.told"'}
steps:
  - {id: one, run: 'eval "$MARK"', idempotent: true}
"""


def go_on(bench: Bench, book: str) -> None:
    run = bench.last()
    ran = bench("run", book) if run is None else bench("resume", run)
    assert ran.code == 0, ran


@pytest.mark.fault(6)
@pytest.mark.parametrize("point", ["append.before", "append.after", "close.before", "close.after"])
@pytest.mark.parametrize("hit", [1, 2, 3, 4])
def test_somebody_is_told_at_least_once_and_under_one_key(bench: Bench, point: str, hit: int) -> None:
    book = str(bench.write(STEPS))
    _, ran = bench.crash("run", book, at=f"runner {point} {hit}")
    if ran.code != 0:
        go_on(bench, book)
    assert bench("resume", "--all").code == 0
    wait_until(lambda: not list(bench.home.glob("notices/*")))
    wait_until(lambda: bench.events("notified"))
    (said,) = bench.events("notified")
    assert said["ok"], said
    keys = Path(f"{bench.effects_file}.told").read_text().split()
    assert keys and len(set(keys)) == 1
    bench.check()
