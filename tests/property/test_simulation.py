"""Seeded histories of random runs: crashes, resumes, settles and cancels anywhere, and what durun promises of them.

A CI run plays `CHUNKS * SIZE` histories. A failure names its seed and shows the plan and every event. Play one
history again with `DURUN_SEED=1234 python -m pytest tests/property/test_simulation.py -k replay`; play others
with `DURUN_SEEDS_FROM=1000000`, which is added to every seed.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from property.simulation.history import play

CHUNKS, SIZE = 80, 250
FIRST = int(os.environ.get("DURUN_SEEDS_FROM", "0"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_promise_is_kept_in_every_history(chunk: int) -> None:
    ends = Counter(play(FIRST + seed) for seed in range(chunk * SIZE, (chunk + 1) * SIZE))
    assert set(ends) <= {"succeeded", "cancelled", "rolled_back"}
    assert ends["succeeded"] > ends["cancelled"] > 0
    assert ends["succeeded"] > ends["rolled_back"] > 0


@pytest.mark.skipif("DURUN_SEED" not in os.environ, reason="set DURUN_SEED to play one history")
def test_replay() -> None:
    print(play(int(os.environ["DURUN_SEED"])))
