"""`reap`, in every engine: it closes privileges that are due, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import Busy
from durun.model import event as ev

from .privileges import CLOSING, book, closed, keys

if TYPE_CHECKING:
    from contract.engines.rig import Rig


def test_reap_leaves_alone_what_is_not_due(rig: Rig) -> None:
    assert rig.start(book(between="{id: between, wait: 1h}"), park=True).status == "waiting"
    before = rig.events()
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code, outcome.state) == ("waiting", 0, None)
    assert rig.events() == before
    assert not closed(rig)


def test_reap_closes_what_a_parked_run_left_open_and_leaves_the_run_as_it_is(rig: Rig) -> None:
    text = book("4h", "{id: between, wait: 10h}")
    assert rig.start(text, park=True).status == "waiting"
    rig.pass_time(hours=5)
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code) == ("waiting", 0)
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)
    assert rig.reap().state is None
    rig.pass_time(hours=6)
    assert rig.resume(fresh=False).status == "succeeded"
    assert rig.world.calls()[2:4] == ["open.run", "work.run"]
    assert len(set(keys(rig, "open"))) == 2
    assert closed(rig)


def test_reap_closes_what_a_killed_runner_left_open(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "between", committed=False)
    rig.crash(lambda: rig.start(book()))
    assert rig.reap().state is None
    rig.pass_time(hours=5)
    assert rig.reap().exit_code == 0
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)
    assert "run_ended" not in rig.events()


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(("kind", "step"), CLOSING)
def test_reap_closes_it_whenever_the_runner_was_killed(
    rig: Rig, does: Any, crash: Any, kind: str, step: str | None, committed: bool
) -> None:
    rig.world.will("between.run", does(1))
    rig.crash_at(kind, step, committed=committed)
    rig.crash(lambda: rig.start(book()))
    rig.pass_time(hours=5)
    while not closed(rig):
        assert rig.reap().state is not None
    assert rig.world.calls() == ["open.run", "between.run", "open@rollback.close"]
    assert rig.statuses()["open"] == "rolled_back"


def test_reap_tries_again_what_could_not_be_closed(rig: Rig, does: Any) -> None:
    rig.world.will("work.run", does(1))
    rig.world.will("open@rollback.close", does(1), does(1), does(0))
    assert rig.start(book()).status == "failed"
    assert rig.reap().exit_code == 1
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code) == ("failed", 0)
    assert rig.world.calls().count("open@rollback.close") == 3
    assert closed(rig)


def test_reap_is_busy_beside_whoever_drives_the_run(rig: Rig) -> None:
    refused = []

    def reap(events: Any) -> None:
        if any(isinstance(event, ev.TaskDue) for event in events):
            with pytest.raises(Busy):
                rig.another().reap()
            refused.append(True)

    rig.journal.after = reap
    assert rig.start(book()).status == "succeeded"
    assert refused


def test_reap_writes_nothing_of_a_doubt_that_nobody_can_end_by_asking(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(76))
    rig.start(book())
    before = rig.events()
    for _ in range(3):
        rig.pass_time(hours=1)
        outcome = rig.reap()
        assert (outcome.exit_code, outcome.state) == (3, None)
    assert rig.events() == before
    assert "in doubt" in rig.witness.notices[-1]
    rig.settle("open@rollback", "not_done")
    rig.world.will("open@rollback.close", does(0))
    assert rig.reap().exit_code == 0
    assert closed(rig)


def test_reap_asks_again_about_a_doubt_when_it_has_lasted_twice_as_long(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(76))
    rig.world.will("open@rollback.ask", does(1))
    rig.start(book(more=", verify: {run: [ACT, ask], not_done_on: [4]}"))

    def asked() -> int:
        return rig.world.calls().count("open@rollback.ask")

    first = asked()
    assert rig.reap().exit_code == 3
    assert asked() == first
    per_hour = []
    for _ in range(4):
        before = asked()
        for _ in range(60):
            rig.pass_time(hours=1 / 60)
            assert rig.reap().exit_code == 3
        per_hour.append(asked() - before)
    assert 4 <= per_hour[0] <= 6
    assert per_hour[2:] == [1, 1]
    rig.world.will("open@rollback.ask", does(0))
    for _ in range(61):
        rig.pass_time(hours=1 / 60)
        rig.reap()
    assert closed(rig)
