"""Privileges: what a step grants until a later step has ended, or for so long. Then its rollback is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from durun.model.doubt import AskNow, LeaveIt, way_out
from durun.model.plan import Node, Plan, Retry, forgiven
from durun.model.retry import will_retry
from durun.model.state import RunState
from durun.model.status import ENDED
from durun.model.task import TaskKey, TaskState, undo_key

_GOOD = frozenset({"succeeded", "skipped"})
_ENDED = _GOOD | {"cancelled", "rolled_back"}
_SOON, _LATE = 60.0, 3600.0


class Granted:
    """The privileges that are open in a run, by the step that granted them, those that end first before the others."""

    __slots__ = ("_by_step",)

    def __init__(self, state: RunState) -> None:
        self._by_step: dict[str, dict[TaskKey, float]] = {}
        found = [(task.closes_at, key) for key, task in state.tasks.items() if task.closes_at is not None]
        for _, key in sorted(found):
            self.note(key, state.tasks[key])

    def __bool__(self) -> bool:
        return any(self._by_step.values())

    def note(self, key: TaskKey, task: TaskState) -> None:
        """Take in how a task stands now."""
        if task.closes_at is not None:
            keys = self._by_step.setdefault(key.step, {})
            if keys.get(key) != task.closes_at:
                keys.pop(key, None)
                keys[key] = task.closes_at
        elif key.step in self._by_step:
            self._by_step[key.step].pop(key, None)

    def everyone(self) -> Iterator[TaskKey]:
        """All of them."""
        for keys in self._by_step.values():
            yield from keys

    def due(self, plan: Plan, state: RunState, now: float) -> Iterator[tuple[TaskKey, str, bool]]:
        """Those that are to be closed now, why, and whether that is before they are no longer needed."""
        for step, keys in self._by_step.items():
            node = plan.undo.get(step)
            if node is None or node.until is None or not keys:
                continue
            beside = node.fan is not None and plan.nodes[node.until].fan == node.fan
            over = not beside and has_ended(plan, state, node.until, None)
            for key, closes_at in keys.items():
                if over or (beside and has_ended(plan, state, node.until, key.target)):
                    needed = not is_done(plan, state, node.until, key.target if beside else None)
                    yield key, f"{node.until} has ended", needed
                elif closes_at <= now:
                    yield key, "its time is over", True
                elif not beside:
                    break  # the others end later

    def next_end(self, now: float) -> float | None:
        """When the next one ends by its time."""
        ends = [end for keys in self._by_step.values() for end in keys.values() if end > now]
        return min(ends, default=None)


def reap_due(plan: Plan, state: RunState, now: float) -> bool:
    """Whether a privilege of a run that nobody drives is to be closed, and something can be done about it now."""
    granted = Granted(state)
    due = (key for key, _, _ in granted.due(plan, state, now))
    keys = granted.everyone() if state.record.status in ENDED else due
    return any(_may_move(plan, state, key, now) for key in keys)


def _may_move(plan: Plan, state: RunState, key: TaskKey, now: float) -> bool:
    """Whether something can be done about closing a privilege: where that is in doubt, hardly ever.

    What verify did not know it is asked once more when the doubt has lasted twice as long, and every hour.
    """
    closing = state.tasks.get(undo_key(key))
    node = plan.undo.get(key.step)
    if node is None or closing is None or closing.status != "in_doubt" or not closing.gone:
        return True
    way = way_out(node, closing, state.record.sessions + 1, now)
    if isinstance(way, AskNow) and closing.asked_in:
        lasted = closing.answered_at - (closing.attempts[-1].ended_at or closing.answered_at)
        return now >= closing.answered_at + min(max(lasted, _SOON), _LATE)
    return not isinstance(way, LeaveIt)


def has_ended(plan: Plan, state: RunState, step: str, target: str | None) -> bool:
    """Whether a step has ended, however: for this target, or without one for all targets that it has."""
    return all(_each(plan.nodes[leaf], state, target, _over) for leaf in plan.leaves(step))


def is_done(plan: Plan, state: RunState, step: str, target: str | None) -> bool:
    """Whether a step has ended in such a way that no resume tries it again."""

    def done(node: Node, task: TaskState | None) -> bool:
        if not _over(node, task) or task is None:
            return False
        return task.status in _GOOD or (task.status == "rolled_back" and not task.code) or forgiven(plan, node.id)

    return all(_each(plan.nodes[leaf], state, target, done) for leaf in plan.leaves(step))


def _each(node: Node, state: RunState, target: str | None, holds: Callable[[Node, TaskState | None], bool]) -> bool:
    """Whether something holds of a leaf for this target, or of all that it has."""
    if node.fan is None or target is not None:
        return holds(node, state.tasks.get(TaskKey(node.id, target)))
    resolved = state.resolved.get((node.fan, 0))
    if resolved is not None:
        return all(holds(node, state.tasks.get(TaskKey(node.id, one))) for one in resolved.index)
    # Not to know the targets is no attempt that failed: no retry policy looks at it.
    return holds(node._replace(retry=Retry()), state.tasks.get(TaskKey(node.fan)))


def _over(node: Node, task: TaskState | None) -> bool:
    return task is not None and (task.status in _ENDED or (task.status == "failed" and not will_retry(node, task)))


def closable(plan: Plan, state: RunState, key: TaskKey, *, at_rest: bool) -> bool:
    """Whether nothing of the step that granted it is at work. `at_rest`: nor will be, in this session."""
    task = state.tasks[key]
    if task.status == "in_doubt":
        return task.gone
    if task.status in ("failed", "pending"):
        return at_rest or (task.status == "failed" and not will_retry(plan.nodes[key.step], task))
    return task.status in ("succeeded", "cancelled")


def closed_early(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks whose privileges ended before their time: what still needs them can't go on without them."""
    granting = {step for step, node in plan.undo.items() if node.until is not None}
    return [
        key
        for key, task in state.tasks.items()
        if key.step in granting and task.status == "rolled_back" and task.code and key.round == 0
    ]


def lapsed(plan: Plan, state: RunState) -> frozenset[TaskKey]:
    """The privileges that were closed before their time, and that a resume has found to be wanted again.

    Each is granted anew before something is started that needs it, and not before that.
    """
    return frozenset(key for key in closed_early(plan, state) if state.tasks[undo_key(key)].status == "pending")


def wanted_for(plan: Plan, state: RunState, found: frozenset[TaskKey], key: TaskKey) -> frozenset[TaskKey]:
    """Those of the lapsed privileges `found` that are to be granted anew before this task is started.

    Of a fan-out's own task: before its targets are asked for.
    """
    wanted: list[TaskKey] = []
    for step, undo in plan.undo.items() if found else ():
        if undo.until is None or key.step not in undo.needed_by:
            continue
        fan = plan.nodes[key.step].fan
        beside = fan is not None and fan == undo.fan
        if not is_done(plan, state, undo.until, key.target if beside and plan.nodes[undo.until].fan == fan else None):
            wanted += {key._replace(step=step)} & found if beside else (one for one in found if one.step == step)
    return frozenset(wanted)
