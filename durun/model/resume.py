"""What a resume has to decide from plan and facts alone."""

from __future__ import annotations

from durun.model.plan import Plan
from durun.model.state import RunState
from durun.model.task import TaskKey


def failed_tasks(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks of the steps that stand failed, and that nobody forgives: a resume tries them again.

    Those of `finally` belong to the round that is over. Of a run that is rolled back: the rollbacks that failed, or
    were stopped.
    """
    if state.record.rollback_code is not None:
        return [
            key
            for key, task in state.tasks.items()
            if task.status in ("failed", "cancelled") and plan.is_rollback(key.step)
        ]
    return [
        key
        for key, task in state.tasks.items()
        if task.status == "failed" and key.round == 0 and key.step in plan.nodes and not forgiven(plan, key.step)
    ]


def forgiven(plan: Plan, step: str) -> bool:
    """Whether a failure of the step does not count: by its own `continue_on_error`, or that of a group around it."""
    around: str | None = step
    while around is not None:
        node = plan.nodes[around]
        if node.continue_on_error:
            return True
        around = node.parent
    return False
