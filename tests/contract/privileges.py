"""A runbook with a privilege, and how a run of it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contract.engines.rig import Rig


def book(most: str = "4h", between: str = "{id: between, run: [ACT, run]}", more: str = "") -> str:
    return f"""
steps:
  - id: open
    run: [ACT, run]
    rollback: {{run: [ACT, close]{more}}}
    privileged: {{until: work, max: {most}}}
  - {between}
  - {{id: work, run: [ACT, run]}}
  - {{id: after, run: [ACT, run]}}
"""


CLOSING = [
    ("task_due", None),
    ("task_started", "open@rollback"),
    ("task_succeeded", "open@rollback"),
    ("task_rolled_back", None),
]
"""The events, with their step, by which it is closed."""


def closed(rig: Rig) -> bool:
    return rig.journal.record(rig.run).privileged == 0


def keys(rig: Rig, step: str) -> list[str]:
    return [attempt.key for attempt in rig.task(step).attempts]


def lapse(rig: Rig, between: str, most: str = "4h", hours: float = 5, **start: Any) -> None:
    """A run that waits inside, whose privilege was closed meanwhile."""
    assert rig.start(book(most, between), **start).status == "waiting"
    rig.pass_time(hours=hours)
    assert rig.reap().status == "waiting"
    assert closed(rig)


def granted(rig: Rig) -> int:
    return rig.world.calls().count("open.run")
