"""kill -9 of runner or supervisor at random moments, again and again: every effect once, the journal whole.

In a usual test run about a hundred kills; `DURUN_SOAK=N` makes N times as many. `DURUN_SOAK_SEED` sets the seed.
"""

from __future__ import annotations

import os
import random

import pytest

from crash.harness import Bench, lives, wait_for_end

FACTOR = int(os.environ.get("DURUN_SOAK", "1"))
SEED = int(os.environ.get("DURUN_SOAK_SEED", "1"))
PARTS = 6
KILLS = 18 * FACTOR
WIDTH = 12
LONGEST = 0.45
"""Seconds after which a process is killed at the latest: about as long as it lives."""

BOOK = f"""
max_parallel: 3
steps:
  - id: first
    run: 'eval "$MARK"; echo n=7 >> "$DURUN_OUTPUT"'
    outputs: {{n: {{type: integer}}}}
  - id: hosts
    targets: {[f"h{number}" for number in range(WIDTH)]}
    max_parallel: 3
    steps:
      - id: drain
        shell: sh
        run: 'eval "$MARK"; echo out'
      - id: patch
        run: 'eval "$MARK"; test "$N" = 7'
        env: {{N: "${{{{ steps.first.outputs.n }}}}"}}
finally:
  - id: tidy
    run: eval "$MARK"
"""
ALL = {"first", "tidy", *(f"{step}/h{number}" for step in ("drain", "patch") for number in range(WIDTH))}


class Soak:
    """One run after the other, until so many kills are done."""

    def __init__(self, bench: Bench, dice: random.Random) -> None:
        self._bench = bench
        self._dice = dice
        self._runs = 0
        self.kills = {"runner": 0, "supervisor": 0}

    def one_run(self, most: int) -> None:
        """A run of its own, killed up to so many times, then left to end."""
        self._runs += 1
        folder = self._bench.folder / f"run-{self._runs}"
        folder.mkdir()
        trial = Bench(folder)
        try:
            book = str(trial.write(BOOK))
            code = -9
            while code not in (0, 1):
                run = trial.last()
                code = self._drive(
                    trial, ["run", book] if run is None else ["resume", run], sum(self.kills.values()) < most
                )
                if code == 3:
                    trial.settle_honestly(lambda step, _: ["n=7"] if step == "first" else [])
                assert all(count == 1 for count in trial.effects().values()), trial.effects()
            assert code == 0
            assert set(trial.effects()) == ALL
            trial.check()
            trial.quiet()
        finally:
            trial.close()

    def _drive(self, trial: Bench, command: list[str], may_kill: bool) -> int:
        process = trial.start(*command)
        if may_kill and not wait_for_end(process.pid, self._dice.uniform(0.05, LONGEST)):
            victims = trial.supervisors() if self._dice.random() < 0.3 else [process.pid]
            kind = "runner" if victims == [process.pid] else "supervisor"
            for victim in victims[:1]:
                if lives(victim):
                    trial.kill(victim)
                    self.kills[kind] += 1
        return trial.finish(process).code


@pytest.mark.fault(6)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(60 + 60 * FACTOR)
def test_random_kills(bench: Bench, part: int) -> None:
    soak = Soak(bench, random.Random(f"{SEED}/{part}"))
    while sum(soak.kills.values()) < KILLS:
        soak.one_run(KILLS)
    assert soak.kills["runner"]
    print(f"killed: {soak.kills}")
