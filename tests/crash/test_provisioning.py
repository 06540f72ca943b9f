"""kill -9 at every point of making a service account, and of taking it back; and a service that dies and is late.

Whatever was killed when, there is one change request, and one account with exactly its roles, or nothing.

In a usual test run every point has one kill, at another moment of a run each. With `DURUN_SOAK=1`, runs are killed at a
point, resumed, killed a few hits further, and so on to their end, so that every hit of every point has one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from crash.harness import wait_until
from crash.provision import Provision
from crash.rotation import CommandLines
from daemons.changes import DIES, LATE
from daemons.keyring import needs_keyring
from daemons.openldap import needs_openldap

pytestmark = [needs_keyring, needs_openldap, pytest.mark.timeout(240)]

STRIDE = 4
"""Hits from one kill to the next."""
SERVICE = ("", *DIES, *LATE)
"""What the service does meanwhile when it is asked next."""
ENDINGS = {"all of it": "succeeded", "taken back": "rolled_back"}
FAILED, IN_DOUBT, WAITS = 1, 3, 5
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
SIDES = {"runner": RUNNER, "supervisor": SUPERVISOR}
TURNS = 30
"""More than a run needs of resumes that nothing kills, with all the answers that its service is late with."""


def go_on(provision: Provision) -> None:
    """What an operator types next, who has nothing to settle."""
    ran = provision(*provision.argv())
    assert ran.code in (0, FAILED, WAITS), ran
    provision.look()


def end(provision: Provision) -> None:
    """Go on to the end of the run."""
    done = provision.done
    for _ in range(5):
        go_on(provision)
        if provision.done > done:
            return
    raise AssertionError(provision.stored())


def killed(provision: Provision, side: str, point: str, hit: int) -> bool:
    """Go on up to a kill; whether there was one."""
    # A runner goes on without its supervisor, so it is killed a while after it.
    more = "" if side == "runner" else f";runner append.before {hit + 8}"
    sides, ran = provision.crash_sides(*provision.argv(), at=f"{side} {point} {hit}{more}")
    assert ran.code in (0, FAILED, IN_DOUBT, WAITS, -signal.SIGKILL), ran
    if ran.code == IN_DOUBT:
        # A step outlived its supervisor, or the service died when it was asked: the next resume can ask what became of
        # it. Nobody has to settle anything.
        wait_until(lambda: not provision.steps())
    provision.look()
    return side in sides


def kill(provision: Provision, side: str, point: str, hit: int) -> None:
    """Go on until it is killed there, at the first hit if a whole run has not so many."""
    if point in RESUMED:
        kill(provision, "runner", "land.before", hit)
        hit = 1
    done = provision.done
    for _ in range(TURNS):
        if killed(provision, side, point, hit):
            return
        assert provision.done < done + 3, f"{point} is not reached at all: does it still have this name?"
        hit = 1 if provision.done > done else hit
    raise AssertionError(f"it does not come to {point}, nor to its end: {provision.stored()}")


@pytest.fixture
def lines() -> Iterator[CommandLines]:
    made = CommandLines()
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest, provision: Provision) -> str:
    """How runs end: with an account, or with a service that does not let them close the request."""
    if request.param == "taken back":
        provision.changes.set(refuses="implemented")
    return str(request.param)


@pytest.mark.fault(1, 2, 3, 4, 8, 9, 19, 29, 33)
@pytest.mark.parametrize("side", SIDES)
def test_killed_at_every_point(provision: Provision, lines: CommandLines, ending: str, side: str) -> None:
    """Half of the points while an account is made, the others while one is taken back; the service dies, too."""
    for number, point in enumerate(SIDES[side][list(ENDINGS).index(ending) :: len(ENDINGS)]):
        provision.changes.set({"any 1": SERVICE[number % len(SERVICE)]})
        kill(provision, side, point, 1 + number)
    provision.changes.set({})
    end(provision)
    provision.nothing_in_clear(lines)
    assert {run.status for run in provision.stored()} == {ENDINGS[ending]}


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif("DURUN_SOAK" not in os.environ, reason="long: set DURUN_SOAK=1")
@pytest.mark.parametrize(("side", "point"), [(side, point) for side, points in SIDES.items() for point in points])
def test_killed_at_every_hit_of_a_point(provision: Provision, ending: str, side: str, point: str) -> None:
    for first in range(1, STRIDE + 1):
        kill(provision, side, point, first)
        done, number = provision.done, first
        while provision.done == done:
            number += 1
            provision.changes.set({"any 1": SERVICE[number % len(SERVICE)]})
            killed(provision, side, point, STRIDE)
    assert {run.status for run in provision.stored()[1:]} <= {ENDINGS[ending]}


@pytest.mark.parametrize("honours", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("how", [*DIES, *LATE])
def test_a_service_that_dies_or_is_late_at_every_request(provision: Provision, how: str, honours: bool) -> None:
    provision.changes.set({"POST 1": how, "PUT 1": how}, honours=honours)
    end(provision)
    assert provision.stored()[0].status == "succeeded"
    assert len(provision.changes.asked()) > 3


@pytest.mark.parametrize("how", [*DIES, *LATE])
def test_a_service_that_dies_or_is_late_when_all_is_taken_back(provision: Provision, how: str) -> None:
    """The first PUT closes the request, the second is its repeat, and the third withdraws it."""
    provision.changes.set({"POST 1": how, "PUT 1": how, "PUT 3": how}, honours=False, refuses="implemented")
    end(provision)
    assert provision.stored()[0].status == "rolled_back"
    assert [asked.method for asked in provision.changes.asked()].count("PUT") == 4


@pytest.mark.parametrize("first", DIES)
def test_a_service_that_dies_again_when_it_is_asked_what_it_did(provision: Provision, first: str) -> None:
    provision.changes.set({"POST 1": first, "GET 1": "dies before"}, honours=False)
    ran = provision(*provision.argv())
    assert ran.code == IN_DOUBT, ran
    assert provision.in_doubt() == [("change", None)]
    end(provision)
