from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durun.engine.beginning import Beginning
from durun.model import event as ev
from events import session

BY = {"uid": 7}


@pytest.fixture
def failed(told: Callable[..., Any]) -> Any:
    """A run that has failed, with one task done, one failed and one forgiven."""
    run = told("steps:\n  - {id: a, run: x}\n  - {id: b, continue_on_error: true, run: x}\n  - {id: c, run: x}\n")
    run.done("a")
    run.failed("b")
    run.failed("c")
    return run


def opening(run: Any, beginning: Beginning) -> list[ev.Event]:
    begun = session(2, reason=beginning.reason)
    first, *rest = beginning.opening(begun, run.state, run.plan, 5.0)
    assert first is begun
    return rest


def test_a_run_that_is_not_over_just_goes_on(failed: Any) -> None:
    assert opening(failed, Beginning("resume", BY, fresh=True)) == []


def test_a_failed_run_gets_a_new_round_and_its_failed_tasks_a_new_budget(failed: Any) -> None:
    failed.tell(ev.RunEnded(status="failed", exit_code=1))
    assert opening(failed, Beginning("resume", BY, fresh=True)) == [
        ev.RoundStarted(round=2, by=BY),
        ev.TaskRetried(step="c", due=5.0, fresh=True),
    ]
    assert opening(failed, Beginning("resume", BY)) == [ev.RoundStarted(round=2, by=BY)]


def test_what_is_recorded_with_it_belongs_to_the_new_round(failed: Any) -> None:
    failed.tell(ev.RunEnded(status="failed", exit_code=1))
    wish = ev.CancelRequested(reason="enough", by=BY)
    events = opening(failed, Beginning("cancel", BY, events=[wish]))
    assert events == [ev.RoundStarted(round=2, by=BY), wish]
    failed.tell(*events)
    assert failed.state.record.cancel_requested
