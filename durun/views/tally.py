"""How many tasks of each step stand where, kept up event by event: with 10,000 targets nothing may be counted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from durun.model import event as ev
from durun.model.event import Event, TaskEvent, key_of
from durun.model.plan import Plan
from durun.model.retry import may_start_at
from durun.model.state import RunState
from durun.model.status import TaskStatus
from durun.model.task import ROLLBACK, TaskKey, TaskState, undone_by

MARKS: Mapping[TaskStatus, str] = {
    "pending": "·",
    "skipped": "-",
    "waiting": "◷",
    "running": "▶",
    "succeeded": "✔",
    "failed": "✘",
    "cancelled": "■",
    "in_doubt": "?",
    "rolled_back": "↺",
}
"""One character for each status, in every picture."""


@dataclass(slots=True)
class StepTally:
    """One leaf step: its tasks by status, and when it was first and last at work (seconds since the epoch).

    `resolved`: the targets of its fan-out are known. `held`: its tasks that wait for something or are to be tried
    again, and since when.
    """

    id: str
    fan: str | None
    total: int = 1
    resolved: bool = False
    counts: Counter[TaskStatus] = field(default_factory=Counter)
    began_at: float | None = None
    ended_at: float | None = None
    held: dict[TaskKey, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Tasks that need nothing more."""
        return self.counts["succeeded"] + self.counts["skipped"] + self.counts["rolled_back"]

    @property
    def wrong(self) -> int:
        """Tasks that did not go well."""
        return self.counts["failed"] + self.counts["in_doubt"] + self.counts["cancelled"]

    @property
    def standing(self) -> TaskStatus:
        """One word for all of its tasks, the most urgent."""
        for status in _URGENT:
            if self.counts[status]:
                return status
        if self.done >= self.total:
            alike: tuple[TaskStatus, ...] = ("skipped", "rolled_back")
            return next((status for status in alike if self.counts[status] == self.total), "succeeded")
        return "pending"


_URGENT: tuple[TaskStatus, ...] = ("running", "in_doubt", "failed", "cancelled", "waiting")


class Tally:
    """All leaf steps of a run, in file order, `finally` last."""

    def __init__(self, plan: Plan, state: RunState) -> None:
        leaves = [leaf for root in (*plan.roots, *plan.finals) for leaf in plan.leaves(root)]
        self.steps = {leaf: StepTally(leaf, plan.nodes[leaf].fan) for leaf in leaves}
        self._plan = plan
        self._status: dict[TaskKey, TaskStatus] = {}
        for (step, _), resolved in state.resolved.items():
            self._resolve(step, len(resolved.index))
        for key, task in state.tasks.items():
            self._move(key, task.status)
            self._hold(key, task, task.changed_at, state.record.id)
            tally = self.steps.get(key.step)
            if tally is not None and task.attempts:
                self._at_work(tally, task.attempts[0].started_at, task.changed_at)

    def note(self, event: Event, state: RunState, at: float) -> None:
        """Take an event in; `state` includes it."""
        if isinstance(event, ev.TargetsResolved):
            self._resolve(event.step, len(event.targets))
        if isinstance(event, ev.RunEnded):  # nothing is tried again, or waited for, any more
            for step in self.steps.values():
                step.held.clear()
        if not isinstance(event, TaskEvent):
            return
        task = state.tasks.get(key_of(event))
        if task is None:
            return
        self._move(key_of(event), task.status)
        self._hold(key_of(event), task, at, state.record.id)
        if event.step in self.steps and not isinstance(event, ev.TaskRolledBack):
            self._at_work(self.steps[event.step], at, at)

    def _resolve(self, step_id: str, targets: int) -> None:
        for step in self.steps.values():
            if step.fan == step_id:
                step.total, step.resolved = targets, True

    def _hold(self, key: TaskKey, task: TaskState, at: float, run_id: str) -> None:
        step = self.steps.get(key.step)
        if step is None:
            return
        due = may_start_at(self._plan.node(key.step), key, task, run_id) if task.status == "pending" else None
        if task.status == "waiting" or (due is not None and due > at):
            step.held.setdefault(key, at)
        elif step.held:
            step.held.pop(key, None)

    def _move(self, key: TaskKey, status: TaskStatus) -> None:
        step = self.steps.get(key.step) or self._rollback(key)
        if step is None:
            return
        before = self._status.pop(key, None)
        if before is not None:
            step.counts[before] -= 1
        elif key.step.endswith(ROLLBACK):
            step.total += 1
        if key.target is None and step.fan is not None and status in ("pending", "succeeded"):
            return  # it stood for its targets, which are what counts
        step.counts[status] += 1
        self._status[key] = status

    def _rollback(self, key: TaskKey) -> StepTally | None:
        """The rollback of a step is listed once it has begun: how many of them there are is seen only then."""
        node = self._plan.undo.get(undone_by(key.step))
        if node is None:
            return None
        return self.steps.setdefault(key.step, StepTally(key.step, node.fan, 0, node.fan is not None))

    @staticmethod
    def _at_work(step: StepTally, began_at: float, ended_at: float) -> None:
        step.began_at = began_at if step.began_at is None else min(step.began_at, began_at)
        step.ended_at = ended_at if step.ended_at is None else max(step.ended_at, ended_at)
