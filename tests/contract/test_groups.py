"""Every journal gives a concurrency group to one run at a time."""

from __future__ import annotations

import pytest

from durun.errors import GroupHeld, NoSuchRun
from durun.journal.api import Journal, RunQuery, SequenceConflict
from durun.model import event as ev
from events import BY, created, ended, held, session


def test_a_concurrency_group_is_held_by_one_run_at_a_time(journal: Journal) -> None:
    assert journal.group_holder("db") is None
    journal.append("a", 0, [held(runbook="rotate")], 1.5)
    holder = journal.group_holder("db")
    assert holder is not None and holder.id == "a" and holder.holds_group
    with pytest.raises(GroupHeld) as refused:
        journal.append("b", 0, [held(), session()], 2.0)
    assert (refused.value.holder, refused.value.group) == ("a", "db")
    assert "run a of rotate holds the concurrency group `db` (pending, since 1970-01-01T00:00:01.500Z)" in str(
        refused.value
    )
    with pytest.raises(NoSuchRun):
        journal.head("b")
    journal.append("c", 0, [held(concurrency_group="other")], 3.0)
    journal.append("d", 0, [created()], 4.0)
    assert journal.record("d").concurrency_group is None


@pytest.mark.parametrize(
    "event",
    [
        ev.RunInterrupted(reason="INT"),
        ev.RunParked(status="in_doubt", reason="a doubt"),
        ev.RunParked(status="waiting", reason="a person"),
        ended("failed"),
        ended("rollback_failed"),
    ],
)
def test_a_run_that_is_not_over_holds_its_group(journal: Journal, event: ev.Event) -> None:
    journal.append("a", 0, [held(), session(), event], 1.0)
    with pytest.raises(GroupHeld):
        journal.append("b", 0, [held()], 2.0)


@pytest.mark.parametrize("status", ["succeeded", "cancelled", "rolled_back"])
def test_a_run_that_is_over_lets_go_of_its_group(journal: Journal, status: str) -> None:
    head = journal.append("a", 0, [held(), session()], 1.0)
    journal.append("a", head, [ended(status)], 2.0)
    assert not journal.record("a").holds_group
    journal.append("b", 0, [held()], 3.0)
    journal.check("a")


def test_a_group_that_was_let_go_is_taken_again_by_a_resume_or_not_at_all(journal: Journal) -> None:
    head = journal.append("a", 0, [held(release_on=["failed"]), session(), ended("failed")], 1.0)
    assert journal.group_holder("db") is None
    other = journal.append("b", 0, [held(), session()], 2.0)
    with pytest.raises(GroupHeld):
        journal.append("a", head, [session(2), ev.RoundStarted(round=2, by=BY)], 3.0)
    assert journal.head("a") == head
    journal.append("b", other, [ended()], 4.0)
    journal.append("a", head, [session(2), ev.RoundStarted(round=2, by=BY)], 5.0)
    assert journal.group_holder("db") == journal.record("a")
    assert journal.record("a").release_on == ("failed",)
    for run_id in ("a", "b"):
        journal.check(run_id)


def test_what_was_not_let_go_is_not_taken_again(journal: Journal) -> None:
    head = journal.append("a", 0, [held(release_on=["failed"]), session()], 1.0)
    journal.append("a", head, [ev.RunInterrupted(reason="INT"), session(2)], 2.0)
    assert journal.record("a").holds_group


def test_whether_a_run_is_there_is_looked_at_before_its_group(journal: Journal) -> None:
    journal.append("a", 0, [held()], 1.0)
    with pytest.raises(SequenceConflict):
        journal.append("b", 0, [held()], 2.0, RunQuery(runbook="patch"))
