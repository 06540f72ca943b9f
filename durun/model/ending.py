"""How a run ends, or turns to be rolled back, and what is undone: the same in every engine."""

from __future__ import annotations

from durun.model.commands import Close, NoteUndone
from durun.model.event import RollbackStarted, TaskDue, TaskReopened, TaskRolledBack
from durun.model.outcome import exit_code_of
from durun.model.plan import Plan
from durun.model.privilege import closed_early, lapsed
from durun.model.resume import failed_tasks
from durun.model.state import RunState
from durun.model.status import RunStatus
from durun.model.task import undo_key
from durun.model.undo import standing, to_undo


def exit_code_in(plan: Plan, state: RunState, status: RunStatus) -> int:
    """The exit code of a run that ends with this status now."""
    failed = {key: state.tasks[key] for key in failed_tasks(plan, state)}
    last = {key: task for key, task in state.tasks.items() if key.round == state.record.round}
    return exit_code_of(status, failed | last, state.record.rollback_code)


def rollback_started(plan: Plan, state: RunState, cause: RunStatus) -> RollbackStarted:
    """The steps are over, and what stands is undone.

    It ends with the exit code of its cause, unless somebody has asked for it.
    """
    new = [key for key in to_undo(plan, state) if undo_key(key) not in state.tasks]
    code = 0 if state.record.rollback_requested else exit_code_in(plan, state, cause)
    return RollbackStarted(cause=cause, exit_code=code, tasks=len(new))


def reaped_code(plan: Plan, state: RunState) -> int:
    """The exit code of closing a run's privileges: what was to be closed, and is not, is in doubt or failed."""
    stands = {task.status for key, task in state.tasks.items() if task.due and plan.is_rollback(key.step)}
    return 3 if "in_doubt" in stands else 1 if "failed" in stands else 0


def ended_too_early(plan: Plan, state: RunState) -> str:
    """Why a run has failed of which no task has: a privilege ended before its time. Empty where that is not why."""
    if any(
        task.status in ("failed", "in_doubt") for key, task in state.tasks.items() if not plan.is_rollback(key.step)
    ):
        return ""
    open_again = lapsed(plan, state)
    ended = [key for key in closed_early(plan, state) if key not in open_again]
    more = f", and {len(ended) - 1} more" if len(ended) > 1 else ""
    until = plan.undo[ended[0].step].until if ended else ""
    return f"the privilege of {ended[0]} ended before {until} was done{more}" if ended else ""


def left_standing(plan: Plan, state: RunState) -> list[list[str | None]]:
    """Of a run that was rolled back, the tasks (step, target) whose effects are left."""
    if state.record.rollback_code is None:
        return []
    return [[key.step, key.target] for key in standing(plan, state)]


def about_undoing(command: NoteUndone | Close) -> list[TaskRolledBack | TaskReopened | TaskDue]:
    """What is recorded where a privilege is to be closed, and where something was undone."""
    undo = undo_key(command.key)._asdict()
    if isinstance(command, Close):
        return [TaskDue(**undo, reason=command.reason, early=command.early)]
    undone = TaskRolledBack(**command.key._asdict(), early=command.early)
    return [undone, TaskReopened(**undo)] if command.lapses else [undone]
