"""How a session of a run begins, whoever drives it: why, and the events with which it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from durun.model.event import Event, RequestWithdrawn, RoundStarted, RunbookChanged, SessionStarted, TaskRetried
from durun.model.foresight import outdated
from durun.model.plan import Plan
from durun.model.resume import failed_rollbacks, retried_tasks, wanted_again
from durun.model.state import RunState
from durun.model.status import ENDED
from durun.model.task import TaskKey
from durun.model.values import Json

Reason = Literal["start", "resume", "cancel", "settle", "rollback", "reap"]


class Beginning(NamedTuple):
    """Why a session begins, and what is recorded with it. `fresh`: failed tasks get a new budget.

    `park`: the session leaves the run rather than wait for a time.
    """

    reason: Reason
    by: Mapping[str, Json]
    fresh: bool = False
    events: Sequence[Event] = ()
    park: bool = False

    def opening(self, session: SessionStarted, state: RunState, plan: Plan, now: float) -> list[Event]:
        """The first events; of a run that had ended, they open a new round. Retries are due `now`."""
        record = state.record
        events: list[Event] = [session]
        if record.status in ENDED and self.reason != "reap":
            events.append(RoundStarted(round=record.round + 1, by=self.by))
        events.extend(self.events)
        events.extend(_withdrawn(self.events, state, plan))
        failed: list[TaskKey] = []
        if self.reason in ("rollback", "reap"):
            failed = failed_rollbacks(plan, state, privileged=self.reason == "reap")
        elif self.fresh and record.status in ENDED:
            failed = retried_tasks(plan, state)
        events += [TaskRetried(**key._asdict(), due=now, fresh=True) for key in failed]
        return events + (wanted_again(plan, state) if self.reason == "resume" else [])


def _withdrawn(events: Sequence[Event], state: RunState, plan: Plan) -> list[Event]:
    """Under a changed runbook people are asked anew: what they have seen is not what would be done.

    Also where they have approved already, of something that is not done.
    """
    changed = next((event for event in events if isinstance(event, RunbookChanged)), None)
    if changed is None or (changed.digest, changed.files) == (state.record.digest, state.created.files):
        return []
    asked = [
        key
        for key, task in state.tasks.items()
        if task.waiting is not None and task.waiting.asked is not None and key.step in plan.nodes
    ]
    return [
        RequestWithdrawn(**key._asdict(), reason="the runbook was changed") for key in [*asked, *outdated(plan, state)]
    ]
