"""What keeps tasks from being started until an operator has done something: doubts, and failures nobody forgives.

The same rules by which `durun.model.progress` starts nothing beside them, told of tasks that are far ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

from durun.model.doubt import stuck
from durun.model.plan import Node, Plan
from durun.model.retry import will_retry
from durun.model.state import RunState
from durun.model.status import spoken
from durun.model.task import TaskKey, TaskState
from durun.model.tuples import NamedTuple

_Name = TypeVar("_Name")


class Hold(NamedTuple):
    """Why a task is not started."""

    verdict: Literal["blocked", "will_not_run"]
    why: str


class Holds:
    """What is held, and by what: everything, `finally`, steps for every target, and single tasks."""

    def __init__(self, everything: Hold | None = None) -> None:
        self.everything = everything
        self.final: Hold | None = None
        self.steps: dict[str, Hold] = {}
        self.tasks: dict[tuple[str, str | None], Hold] = {}

    def on(self, node: Node, target: str | None) -> Hold | None:
        """What holds this task, if something does."""
        all_of_it = self.final if node.final else self.everything
        return all_of_it or self.tasks.get((node.id, target)) or self.steps.get(node.id)


class _Trouble(NamedTuple):
    """A task that nothing but an operator moves."""

    key: TaskKey
    doubt: bool

    @property
    def hold(self) -> Hold:
        return Hold("blocked", f"{self.key} {self._said}")

    @property
    def own(self) -> Hold:
        """The same for its own target: equal for all targets that fare alike, so that they can be told together."""
        return Hold("blocked", f"{self.key.step} {self._said} for it")

    @property
    def _said(self) -> str:
        return "is in doubt" if self.doubt else "has failed"


def holds(plan: Plan, state: RunState) -> Holds:
    """What holds tasks back that have not begun."""
    record = state.record
    final = record.final_status is not None
    if record.cancel_requested and not final:
        return Holds(Hold("will_not_run", "a cancel was asked for"))
    if (record.rollback_requested or record.rollback_code is not None) and not final:
        return Holds(Hold("will_not_run", "the run is rolled back"))
    over = Hold("will_not_run", f"the steps are over ({spoken(str(record.final_status))})")
    found = Holds(over if final else None)
    inside: dict[str, list[_Trouble]] = {}
    for trouble in sorted(_troubles(plan, state, final), key=lambda one: not one.doubt):
        if trouble.doubt and not final:
            found.final = found.final or trouble.hold  # a run in doubt does not end
        where = _reach(plan, plan.nodes[trouble.key.step], trouble.doubt, out=trouble.key.target is None)
        if where is None:
            _hold_all(plan, trouble, found)
        elif trouble.key.target is None:
            _add(found.steps, plan.leaves(where), trouble.hold)
        else:
            _add(found.tasks, [(leaf, trouble.key.target) for leaf in plan.leaves(where)], trouble.own)
            if plan.nodes[where].fan_out is not None:
                inside.setdefault(where, []).append(trouble)
    for fan, troubles in inside.items():
        _hold_around(plan, state, plan.nodes[fan], troubles, found)
    return found


def _hold_all(plan: Plan, trouble: _Trouble, found: Holds) -> None:
    """Nothing new is started beside the trouble; but a failure in `finally` stops only the step that it is in."""
    node = plan.nodes[trouble.key.step]
    if not node.final:
        found.everything = found.everything or trouble.hold
        return
    if trouble.doubt:
        found.final = found.final or trouble.hold
        return
    while node.parent is not None:
        node = plan.nodes[node.parent]
    _add(found.steps, plan.leaves(node.id), trouble.hold)


def _add(held: dict[_Name, Hold], names: Iterable[_Name], hold: Hold) -> None:
    for name in names:
        held.setdefault(name, hold)


def _hold_around(plan: Plan, state: RunState, fan: Node, troubles: Sequence[_Trouble], found: Holds) -> None:
    """What the troubles of a fan-out hold: what stands behind it; beyond `max_failures`, all that is beside it."""
    where = _reach(plan, fan, troubles[0].doubt, out=True)
    hold = troubles[0].hold
    if len({trouble.key.target for trouble in troubles}) <= _limit(state, fan):
        _add(found.steps, _behind(plan, fan.id, where), hold)
    elif where is None:
        _hold_all(plan, troubles[0], found)
    else:
        _add(found.steps, plan.leaves(where), hold)


def _limit(state: RunState, fan: Node) -> int:
    resolved = state.resolved.get((fan.id, state.record.round if fan.final else 0))
    return fan.fan_out.max_failures.of(len(resolved.index)) if fan.fan_out is not None and resolved is not None else 0


def _troubles(plan: Plan, state: RunState, final: bool) -> Iterator[_Trouble]:
    """Those of the steps, or those of `finally` once that has begun."""
    round_ = state.record.round if final else 0
    for key, task in state.tasks.items():
        node = plan.nodes.get(key.step)
        if node is None or key.round != round_:
            continue
        if task.status == "in_doubt" and stuck(node, task, state.record.sessions):
            yield _Trouble(key, True)
        elif task.status == "cancelled" or (task.status == "failed" and not _retried(node, key, task)):
            yield _Trouble(key, False)


def _retried(node: Node, key: TaskKey, task: TaskState) -> bool:
    """Whether a failed task is tried again by itself; a fan-out whose targets could not be told is not."""
    return will_retry(node, task) and (node.fan_out is None or key.target is not None)


def _reach(plan: Plan, node: Node, doubt: bool, out: bool = False) -> str | None:
    """How far a trouble of this node reaches: the fan-out that counts it, what forgives it, or everything (None).

    `out`: a node with targets has failed as a whole. A doubt is forgiven by nobody.
    """
    while True:
        if node.fan_out is not None and not out:
            return node.id
        if node.continue_on_error and not doubt:
            return node.id
        if node.parent is None:
            return None
        node, out = plan.nodes[node.parent], False


def _behind(plan: Plan, fan: str, within: str | None) -> list[str]:
    """The leaves that can't begin before the fan-out has ended well, as far as `within`."""
    found: dict[str, None] = {}
    rest = [] if fan == within else [fan]
    while rest:
        ended = plan.nodes[rest.pop()]
        if ended.parent is not None and ended.parent != within:
            rest.append(ended.parent)
        siblings = plan.nodes[ended.parent].children if ended.parent is not None else plan.roots
        for name in siblings:
            if name not in found and ended.id in plan.nodes[name].needs:
                found[name] = None
                rest.append(name)
    return [leaf for name in found for leaf in plan.leaves(name)]
