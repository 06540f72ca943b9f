"""What every engine promises of concurrency groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from contract.engines.books import ABC
from durun.errors import GroupHeld
from durun.journal.api import RunQuery, SequenceConflict
from durun.model import event as ev

if TYPE_CHECKING:
    from contract.engines.rig import Rig
    from contract.engines.script import Does


GROUP = "concurrency: {group: db}\n" + ABC
LETS_GO = "concurrency: {group: db, release_on: [failed]}\n" + ABC


def other(**more: Any) -> ev.RunCreated:
    """A run of the group `db` that somebody else has asked for."""
    facts: dict[str, Any] = {
        "runbook": "other", "digest": "d", "text": "", "file": "f", "place": "/", "inputs": {}, "inputs_digest": "i",
        "tasks": 1, "by": {"uid": 1}, "version": "1", "surroundings": {"env": {}}, "concurrency_group": "db",
    }  # fmt: skip
    return ev.RunCreated(**{**facts, **more})


def somebody_is_faster(rig: Rig, kind: type[Any]) -> None:
    """Just before the commit of such an event somebody else takes the group."""

    def take(events: Any) -> None:
        if any(isinstance(event, kind) for event in events):
            rig.journal.before = lambda _: None
            rig.journal._journal.append("other", 0, [other()], 1.0)

    rig.journal.before = take


def test_a_start_is_refused_while_another_run_holds_its_group(rig: Rig) -> None:
    rig.journal.append("other", 0, [other()], 1.0)
    with pytest.raises(GroupHeld) as refused:
        rig.start(GROUP)
    assert (refused.value.holder, refused.value.group, refused.value.exit_code) == ("other", "db", 11)
    assert rig.world.calls() == []
    assert [record.id for record in rig.journal.runs(RunQuery())] == ["other"]


def test_of_two_starts_of_a_group_at_the_same_instant_one_is_refused(rig: Rig) -> None:
    somebody_is_faster(rig, ev.RunCreated)
    with pytest.raises(GroupHeld):
        rig.start(GROUP)
    assert rig.world.calls() == []
    assert [record.id for record in rig.journal.runs(RunQuery())] == ["other"]


def test_a_run_holds_its_group_until_it_is_over(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7), does())
    assert rig.start(GROUP).status == "failed"
    holder = rig.journal.group_holder("db")
    assert holder is not None and holder.id == rig.run
    assert rig.resume().status == "succeeded"
    assert rig.journal.group_holder("db") is None


def test_a_resume_takes_the_group_again_or_starts_nothing(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7), does())
    assert rig.start(LETS_GO).status == "failed"
    assert rig.journal.group_holder("db") is None
    before = rig.journal.head(rig.run)
    somebody_is_faster(rig, ev.SessionStarted)
    for _ in range(2):  # by a moment, and then by far
        with pytest.raises(GroupHeld):
            rig.resume()
    assert rig.journal.head(rig.run) == before
    assert rig.world.calls() == ["a.run", "b.run"]
    rig.journal.append("other", 1, [ev.RunEnded(status="cancelled", exit_code=12)], 2.0)
    assert rig.resume().status == "succeeded"


@pytest.mark.parametrize("by_a_moment", [False, True])
def test_a_run_that_parks_for_its_group_holds_it_not_and_is_taken_up_later(rig: Rig, by_a_moment: bool) -> None:
    if by_a_moment:
        somebody_is_faster(rig, ev.RunCreated)
    else:
        rig.journal.append("other", 0, [other()], 1.0)
    outcome = rig.start(GROUP.replace("db}", "db, on_conflict: wait}"), park=True)
    assert (outcome.status, outcome.exit_code, rig.world.calls()) == ("waiting", 5, [])
    record = rig.journal.record(outcome.run_id)
    assert record.reason == "run other holds the concurrency group `db`"
    assert not record.holds_group
    rig.run = outcome.run_id
    with pytest.raises(GroupHeld):
        rig.resume(park=True)
    rig.journal.append("other", 1, [ev.RunEnded(status="succeeded", exit_code=0)], 2.0)
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]


def test_alone_is_looked_at_before_the_group(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7))
    assert rig.start(GROUP, alone=True).status == "failed"
    with pytest.raises(SequenceConflict):
        rig.start(GROUP, alone=True)
