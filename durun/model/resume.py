"""What a resume has to decide from plan and facts alone."""

from __future__ import annotations

from durun.model.event import TaskReopened, TaskRolledBack
from durun.model.plan import Plan, forgiven
from durun.model.privilege import is_done
from durun.model.state import RunState
from durun.model.task import CLOSED_EARLY, TaskKey, TaskState, undo_key, undone_by


def failed_tasks(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks that stand failed, and that nobody forgives. Those of `finally` belong to the round that is over."""
    if state.record.rollback_code is not None:
        return failed_rollbacks(plan, state)
    return [key for key, task in state.tasks.items() if _stands_failed(plan, key, task)]


def retried_tasks(plan: Plan, state: RunState) -> list[TaskKey]:
    """The failed tasks that a resume tries again; but a privilege is closed before its step is."""
    failed = set(failed_tasks(plan, state))
    return [key for key in state.tasks if key in failed and undo_key(key) not in failed]


def failed_rollbacks(plan: Plan, state: RunState, *, privileged: bool = False) -> list[TaskKey]:
    """The rollbacks that failed or were stopped; `privileged`: those that close a privilege."""
    return [
        key
        for key, task in state.tasks.items()
        if task.status in ("failed", "cancelled")
        and plan.is_rollback(key.step)
        and (not privileged or state.tasks[key._replace(step=undone_by(key.step))].closes_at is not None)
    ]


def wanted_again(plan: Plan, state: RunState) -> list[TaskReopened | TaskRolledBack]:
    """What is recorded of the privileges that were closed before their time: they lapse, and are granted anew as soon
    as something can be started that needs them. Where nothing does any more, they have ended for good.
    """
    events: list[TaskReopened | TaskRolledBack] = []
    for key, task in state.tasks.items() if state.record.rollback_code is None else ():
        if task.status != "rolled_back" or not task.code or key.round or key.step not in plan.nodes:
            continue
        undo, undone = plan.undo.get(key.step), state.tasks[undo_key(key)].status == "succeeded"
        again = [TaskReopened(**undo_key(key)._asdict())] if undone else []
        if undo is None or undo.until is None:  # a changed runbook has made an ordinary step of it
            events += [*again, TaskReopened(**key._asdict())]
            continue
        beside = plan.nodes[undo.until].fan == plan.nodes[key.step].fan
        if not is_done(plan, state, undo.until, key.target if beside else None):
            events += again
        elif task.code == CLOSED_EARLY:
            events.append(TaskRolledBack(**key._asdict()))
        elif not forgiven(plan, key.step):  # it had failed by itself, and is tried again as any step
            events += [*again, TaskReopened(**key._asdict())]
    return events


def _stands_failed(plan: Plan, key: TaskKey, task: TaskState) -> bool:
    if task.status != "failed" or key.round:
        return False
    return plan.is_rollback(key.step) or (key.step in plan.nodes and not forgiven(plan, key.step))
