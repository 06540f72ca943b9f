"""What a resume has to decide from plan and facts alone."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.event import TaskReopened, TaskRolledBack
from durun.model.plan import Plan, forgiven, forgiving
from durun.model.privilege import closed_early, is_done
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


def wanted_again(plan: Plan, state: RunState, retried: Sequence[TaskKey]) -> list[TaskReopened | TaskRolledBack]:
    """The privileges that were closed before their time are granted anew, if something goes on that needs them.

    `retried`: the failed tasks that are tried again.
    """
    events: list[TaskReopened | TaskRolledBack] = []
    at_work = state.record.counts.get("running") or state.record.counts.get("in_doubt") or _to_be_noted(plan, state)
    if at_work or any(_stands_failed(plan, key, task) and key not in retried for key, task in state.tasks.items()):
        return events  # nothing goes on before that is over
    for key in closed_early(plan, state) if state.record.rollback_code is None else ():
        until = plan.undo[key.step].until if key.step in plan.undo else None
        if until is None or until not in plan.nodes:
            continue
        beside = plan.nodes[until].fan == plan.nodes[key.step].fan
        over = is_done(plan, state, until, key.target if beside else None)
        if over and state.tasks[key].code == CLOSED_EARLY:
            events.append(TaskRolledBack(**key._asdict()))
        elif not _given_up(plan, state, key, retried):
            events += [TaskReopened(**key._asdict()), TaskReopened(**undo_key(key)._asdict())]
    return events


def _given_up(plan: Plan, state: RunState, key: TaskKey, retried: Sequence[TaskKey]) -> bool:
    """Whether a group around this task has failed and is forgiven: nothing goes on there that needs the privilege."""
    fan = plan.nodes[key.step].fan
    failed = {
        one.step
        for one, task in state.tasks.items()
        if task.status == "failed" and one not in retried and not one.round and one.step in plan.nodes
        if plan.nodes[one.step].fan != fan or one.target == key.target
    }
    groups = {forgiving(plan, step) for step in failed}
    return any(key.step in plan.leaves(group) for group in groups if group is not None)


def _to_be_noted(plan: Plan, state: RunState) -> bool:
    """Whether a privilege is closed, and its task does not say so yet."""
    done = (key for key, task in state.tasks.items() if task.status == "succeeded" and plan.is_rollback(key.step))
    return any(state.tasks[key._replace(step=undone_by(key.step))].status != "rolled_back" for key in done)


def _stands_failed(plan: Plan, key: TaskKey, task: TaskState) -> bool:
    if task.status != "failed" or key.round:
        return False
    return plan.is_rollback(key.step) or (key.step in plan.nodes and not forgiven(plan, key.step))
