from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durun.engine.api import CancelRequest, SettleRequest
from durun.engine.requests import append_newest, cancelled, refuse_final, settled
from durun.errors import NoSuchRun, NotAllowed
from durun.model import event as ev
from durun.model.task import TaskKey

BY = {"uid": 7}


@pytest.fixture
def run(told: Callable[..., Any]) -> Any:
    return told("steps:\n  - {id: a, run: x}\n  - {id: b, run: x}\n")


def word(resolution: Any, step: str = "a") -> SettleRequest:
    return SettleRequest("r1", TaskKey(step), resolution, "looked", BY, {"x": 1})


def test_a_word_on_a_doubt_is_an_event(run: Any) -> None:
    run.doubtful("a")
    event = settled(run.state, word("done"), lambda pid: True)
    assert event == ev.TaskSettled(step="a", resolution="done", reason="looked", by=BY, outputs={"x": 1})


def test_what_is_not_in_doubt_is_named_with_what_is(run: Any) -> None:
    run.done("a")
    run.doubtful("b")
    with pytest.raises(NotAllowed) as refused:
        settled(run.state, word("done"), lambda pid: False)
    assert refused.value.message == "a is not in doubt, it is succeeded"
    assert refused.value.hint == "in doubt: b"
    with pytest.raises(NotAllowed) as refused:
        settled(run.state, word("done", "c"), lambda pid: False)
    assert refused.value.message == "c is not in doubt, it is pending"


@pytest.mark.parametrize(("resolution", "allowed"), [("done", True), ("not_done", False), ("failed", False)])
def test_while_its_process_lives_a_doubt_can_only_be_settled_as_done(run: Any, resolution: str, allowed: bool) -> None:
    run.doubtful("a", gone=False, pid=42)
    if allowed:
        settled(run.state, word(resolution), lambda pid: pid == 42)
        return
    with pytest.raises(NotAllowed) as refused:
        settled(run.state, word(resolution), lambda pid: pid == 42)
    assert "process 42 of a still runs" in refused.value.message
    settled(run.state, word(resolution), lambda pid: False)


@pytest.mark.parametrize("status", ["succeeded", "cancelled", "rolled_back"])
def test_nothing_can_be_done_to_what_has_ended_for_good(run: Any, status: Any) -> None:
    run.tell(ev.RunEnded(status=status, exit_code=0))
    with pytest.raises(NotAllowed) as refused:
        cancelled(run.state, CancelRequest("r1", "enough", BY))
    assert refused.value.message == f"run r1 has ended: {status.replace('_', ' ')}"
    assert refused.value.hint == "there is nothing to cancel"
    with pytest.raises(NotAllowed):
        refuse_final(run.state.record, "resume")


@pytest.mark.parametrize("status", ["failed", "rollback_failed"])
def test_what_has_failed_is_not_over_for_good(run: Any, status: Any) -> None:
    run.tell(ev.RunEnded(status=status, exit_code=1))
    wish = cancelled(run.state, CancelRequest("r1", "enough", BY))
    assert wish == ev.CancelRequested(reason="enough", by=BY)


def test_an_event_is_made_from_the_newest_state_however_often_others_are_faster(run: Any) -> None:
    seen: list[int] = []

    def make(state: Any) -> ev.Event:
        seen.append(state.record.sequence)
        if len(seen) < 3:
            run.journal.append("r1", run.journal.head("r1"), [ev.RunInterrupted(reason="faster")], 1.0)
        return ev.CancelRequested(reason=str(len(seen)), by=BY)

    append_newest(run.journal, run.clock, "r1", make)
    assert seen == [2, 3, 4]
    assert [type(s.event) for s in run.journal.events("r1", after=2)] == [
        ev.RunInterrupted,
        ev.RunInterrupted,
        ev.CancelRequested,
    ]


def test_a_refusal_appends_nothing(run: Any) -> None:
    with pytest.raises(NotAllowed):
        append_newest(run.journal, run.clock, "r1", lambda state: settled(state, word("done"), lambda pid: False))
    assert run.journal.head("r1") == 2
    with pytest.raises(NoSuchRun):
        append_newest(run.journal, run.clock, "r2", lambda state: ev.CancelRequested(reason="", by=BY))
