"""What `durun plan` tells beforehand, held against what the next session then does while all goes well."""

from __future__ import annotations

from durun.foresight.resumed import take_up
from durun.model import event as ev
from durun.model.event import key_of
from durun.model.forecast import Facts, Forecast, forecast
from durun.model.people import DENIED, EXPIRED
from durun.model.plan import Plan, forgiven
from durun.model.status import FINAL
from durun.model.task import TaskKey
from property.simulation.oracle import promise
from property.simulation.store import Store

STAYS = {"done", "in_doubt", "failed", "blocked", "will_not_run", "will_be_skipped"}
UNLIKELY = {"blocked", "in_doubt", "will_not_run"}
CLEAR = {"done", "will_run", "will_not_run"}


class Foretold:
    """The forecast of a session that is about to begin."""

    def __init__(self, plan: Plan, store: Store, now: float) -> None:
        self.plan = plan
        self.store = store
        self.before = store.head
        state = store.folded()
        # Processes that live on may be gone when the session looks: what that frees, nobody can tell
        # beforehand; nor what a rollback leaves in doubt, nor when a privilege ends.
        orphans = any(not task.gone for task in state.tasks.values())
        undoing = state.record.rollback_requested or state.record.rollback_code is not None
        closing = any(node.until is not None for node in plan.undo.values())
        self.unclear = orphans or undoing or plan.roll_back or closing
        failed = take_up(state, plan, now)
        targets = {step: tuple(found.index) for (step, _), found in state.resolved.items()}
        facts = Facts(state, targets, {}, False, now, failed)
        self.tasks = {
            TaskKey(one.step, one.target, state.record.round if plan.nodes[one.step].final else 0): one
            for one in forecast(plan, facts)
        }

    def check(self) -> None:
        """The session is over."""
        # Nobody can tell beforehand whether what is polled for comes in its time.
        in_vain = any(task.code in ("timeout", "wait_for") for task in self.store.tasks.values())
        if self.unclear or in_vain:
            return
        new = [stamped.event for stamped in self.store.events[self.before :]]
        begun = {key_of(event) for event in new if isinstance(event, ev.TaskStarted)}
        for key, told in self.tasks.items():
            promise(told.verdict not in STAYS or key not in begun, f"{key} was started, and {told} was told")
        if self.store.record.status == "succeeded":
            stuck = [key for key, one in self.tasks.items() if one.verdict in UNLIKELY and not self._given_up(key)]
            promise(not stuck, f"it succeeded, and {stuck} was told")
        # What people will say, or whether they say anything in time, nobody can tell beforehand.
        refused = any(isinstance(event, ev.TaskFailed) and event.code in (DENIED, EXPIRED) for event in new)
        if not refused and all(one.verdict in CLEAR for one in self.tasks.values()) and self._all_known():
            for key, told in self.tasks.items():
                promise(told.verdict != "will_run" or self._over(key), f"{key} did not run, and {told} was told")

    def _given_up(self, key: TaskKey) -> bool:
        """Whether it is forgiven together with what failed beside it."""
        return forgiven(self.plan, key.step)

    def _all_known(self) -> bool:
        return self.store.record.status != "waiting" and not any(self._unresolved(one) for one in self.tasks.values())

    def _unresolved(self, one: Forecast) -> bool:
        return one.target is None and (one.step, None) not in {(key.step, key.target) for key in self.store.tasks}

    def _over(self, key: TaskKey) -> bool:
        task = self.store.tasks.get(key)
        return self.store.record.status in FINAL or (task is not None and task.status in ("succeeded", "skipped"))
