"""Which tasks of a run a command is about, and what to say of those that are not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from durun.app import App
from durun.errors import NotAllowed, UsageError, meant
from durun.model.state import RunState
from durun.model.task import TaskKey, TaskState, undone_by


def choose_tasks(state: RunState, step: str | None, target: str | None) -> Mapping[TaskKey, TaskState]:
    """The tasks of this step and target. Raises UsageError, if nothing has happened to such a one."""
    found = {
        key: task
        for key, task in state.tasks.items()
        if (step is None or key.step == step) and (target is None or key.target == target)
    }
    if not found and (step is not None or target is not None):
        raise _nothing(state, step, target)
    return found


@contextmanager
def known_step(app: App, run: str, tasks: Collection[TaskKey], step: str | None) -> Iterator[None]:
    """Where something is not allowed of a step that the run does not have, that is said instead. Raises UsageError."""
    try:
        yield
    except NotAllowed as refused:
        created = app.created(run)
        steps = {*(undone_by(key.step) for key in tasks), *created.steps, *created.finally_steps}
        if step is not None and undone_by(step) not in steps:
            raise _no_step(run, step, steps, refused.hint) from None
        raise


def _no_step(run: str, step: str, steps: Collection[str], hint: str) -> UsageError:
    return UsageError(f"run {run} has no step {step}", near_matches(step, steps) or hint)


def _nothing(state: RunState, step: str | None, target: str | None) -> UsageError:
    run = state.record.id
    begun = {key.step for key in state.tasks}
    shown = f"`durun show {run}` lists what there is"
    if step is None or step in begun:
        targets = {key.target for key in state.tasks if key.target is not None and step in (None, key.step)}
        resolved = [found.index for (of, _), found in state.resolved.items() if step in (None, of)]
        if target is not None and any(target in index for index in resolved):
            return UsageError(f"nothing has happened to target {target} of run {run} yet", shown)
        targets |= {key for index in resolved for key in index}
        where = f"run {run}" if step is None else f"step {step}"
        return UsageError(f"{where} has no target {target}", near_matches(str(target), targets) or shown)
    steps = {*begun, *state.created.steps, *state.created.finally_steps}
    if step in steps:
        return UsageError(f"step {step} of run {run} has not begun", f"`durun show {run}` says where the run stands")
    return _no_step(run, step, steps, shown)


def near_matches(word: str, known: Collection[str]) -> str:
    """A hint that names what is nearest; nothing where nothing is near."""
    from difflib import get_close_matches

    return meant(get_close_matches(word, sorted(known), 3, 0.5))
