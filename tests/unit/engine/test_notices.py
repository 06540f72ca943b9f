from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durun.engine.notices import Unsent, body_of, message, title_of
from durun.model.event import NotifyDue, RunParked


def test_people_are_told_in_words(told: Callable[..., Any]) -> None:
    run = told("steps:\n  - {id: a, run: x}\n")
    run.doubtful("a")
    run.tell(RunParked(status="in_doubt", reason="a is in doubt"))
    due = NotifyDue(event="in_doubt", about="", key="k", notifiers=[0])
    said = message(run.state, Unsent(due, 0, 0), "")
    assert title_of(said).endswith(" IN DOUBT (r1)")
    body = body_of(said)
    assert "is in doubt on" in body and "a: in doubt (lost)" in body
    assert "in_doubt" not in body
