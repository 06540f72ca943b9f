"""kill -9 at every point of the rotation of eight real databases: no password is changed twice, lost or told.

In a usual test run every point has one kill, at another moment of a rotation each. With `DURUN_SOAK=1`, rotations are
killed at a point, resumed, killed a few hits further, and so on to their end, so that every hit of every point has one.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from crash.harness import wait_until
from crash.rotation import DATABASES, CommandLines, Rotation
from daemons.keyring import Keyring, needs_keyring, start_keyring
from daemons.postgres import Postgres

pytestmark = [needs_keyring, pytest.mark.timeout(240)]

SEED = int(os.environ.get("DURUN_SOAK_SEED", "1"))
STRIDE = {"runner": 4, "supervisor": 12}
"""Hits from one kill to the next. With a supervisor four steps lose their end, and durun repeats none for ever."""
IN_DOUBT = 3
AROUND = ("before", "after")
RESUMED = [f"{point}.{when}" for point in ("take_over", "settle") for when in AROUND]
"""Points that only a resume comes to."""
RUNNER = [
    *(f"{point}.{when}" for point in ("append", "put", "send", "reply", "land") for when in AROUND),
    *RESUMED,
    *(f"{point}.{when}" for point in ("destroy", "unmark") for when in AROUND),
]
SUPERVISOR = [
    *(f"{point}.{when}" for point in ("open", "gate", "link", "files", "process", "exit", "ended") for when in AROUND),
    "spawn.before",
]
PARTS = 3


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    with start_keyring(tmp_path_factory.mktemp("keyring")) as running:
        yield running


@pytest.fixture
def rotation(tmp_path: Path, keyring: Keyring, postgres: Sequence[Postgres]) -> Iterator[Rotation]:
    made = Rotation(tmp_path, keyring, postgres)
    lines = CommandLines()
    lines.start()
    yield made
    lines.stop()
    made.close()
    made.nothing_in_clear(lines)


def trap(side: str, point: str, hit: int) -> str:
    """Kill it there. A rotation goes on without its supervisor, so the runner is killed a while after it."""
    if side == "runner":
        return f"runner {point} {hit}"
    # Only the last step of each chain has secret files: the runner has to live until then.
    return f"supervisor {point} {hit}" + ("" if point.startswith("files") else f";runner append.before {hit + 8}")


def killed(rotation: Rotation, at: str) -> bool:
    """Run it, or go on with it, up to a kill; whether there was one. If it came to its end, everything must hold."""
    sides, ran = rotation.crash_sides(*rotation.argv(), at=at)
    sprung = at.split()[0] in sides
    assert ran.code in (0, IN_DOUBT, -signal.SIGKILL), ran
    if ran.code == IN_DOUBT:
        # A step outlived its supervisor: the next resume can ask what became of it. Nobody has to settle anything.
        assert "the step still runs" in ran.out, ran.out
        wait_until(lambda: not rotation.steps())
    rotation.one_more()
    return sprung


def end(rotation: Rotation) -> None:
    """Go on to the end."""
    if rotation.open_run() is not None:
        ran = rotation(*rotation.argv())
        assert ran.code == 0, ran
        assert rotation.one_more()


@pytest.mark.fault(1, 2, 3, 4, 8, 9, 33)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("side", "points"), [("runner", RUNNER), ("supervisor", SUPERVISOR)], ids=["runner", "hands"])
def test_killed_at_every_point(rotation: Rotation, side: str, points: list[str], part: int) -> None:
    for number, point in enumerate(points[part::PARTS]):
        hit = 2 + number
        if point in RESUMED:
            assert killed(rotation, trap("runner", "land.before", hit))
            hit = 1
        while not killed(rotation, trap(side, point, hit)):
            assert hit > 1, f"{point} is not reached at all: does it still have this name?"
            hit = 1
    end(rotation)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif("DURUN_SOAK" not in os.environ, reason="long: set DURUN_SOAK=1")
@pytest.mark.parametrize(
    ("side", "point"), [*(("runner", point) for point in RUNNER), *(("supervisor", point) for point in SUPERVISOR)]
)
def test_killed_at_every_hit_of_a_point(rotation: Rotation, side: str, point: str) -> None:
    for first in range(1, STRIDE[side] + 1):
        hit = first
        if point in RESUMED:
            assert killed(rotation, trap("runner", "land.before", first))
            hit = 1
        done = rotation.rotations
        while rotation.rotations == done:
            killed(rotation, trap(side, point, hit))
            hit = STRIDE[side]


@pytest.mark.fault(6, 33)
@pytest.mark.timeout(480)
def test_ten_rotations_in_a_row_half_of_them_killed(rotation: Rotation) -> None:
    dice = random.Random(SEED)
    for number in range(10):
        enough = rotation.changes() + dice.randint(1, DATABASES - 1)
        process = rotation.start(*rotation.argv())
        if number % 2:
            wait_until(lambda enough=enough: rotation.changes() >= enough)
            rotation.kill(*dice.choice([[process.pid], rotation.supervisors(), [*rotation.processes()]]))
        ran = rotation.finish(process)
        assert ran.code == 0 or number % 2, ran
        if not rotation.one_more():
            end(rotation)
    assert len(rotation.runs()) == 10
