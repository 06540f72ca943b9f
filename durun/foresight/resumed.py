"""How a run would stand as soon as `durun resume` has taken it up: the plan of a run begins there."""

from __future__ import annotations

from durun.engine.beginning import Beginning
from durun.model.event import SessionStarted, Stamped
from durun.model.plan import Plan
from durun.model.state import RunState
from durun.model.status import FINAL
from durun.model.task import TaskKey


def take_up(state: RunState, plan: Plan, now: float) -> dict[TaskKey, str]:
    """Fold into the state what a resume would record first; returns why each task that is tried again had failed."""
    if state.record.status in FINAL:
        return {}
    failed = {key: task.reason for key, task in state.tasks.items() if task.status == "failed"}
    record = state.record
    session = SessionStarted(record.sessions + 1, "resume", 0, "", "", "", "", {})
    for event in Beginning("resume", {}, fresh=True).opening(session, state, plan, now):
        state.fold(Stamped(state.record.sequence + 1, now, event))
    return {key: why for key, why in failed.items() if state.tasks[key].status == "pending"}
