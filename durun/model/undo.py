"""A run that is rolled back: what stands, and the tasks that undo it, newest first.

Whatever becomes of one of them, the others get their turn. The targets of a fan-out are undone beside each other,
each one's steps newest first.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterator, Mapping

from durun.model.parts import IDLE, Load, Standing, TaskPart, sum_of
from durun.model.plan import Node, Plan
from durun.model.state import RunState
from durun.model.task import TaskKey, TaskState, undo_key


def undoable(node: Node, task: TaskState) -> bool:
    """Whether the rollback of a step, whose node this is, is meant for a task of it that stands like this.

    That of a privilege is safe whether it was granted or not.
    """
    privilege = node.until is not None
    match task.status:
        case "succeeded" if task.how != "found":
            return privilege or "succeeded" in node.when
        case "succeeded":
            return "found" in node.when
        case "in_doubt":
            return (privilege or "in_doubt" in node.when) and task.gone
        case "failed" | "cancelled" | "pending":
            begun = any(attempt.status != "never_began" for attempt in task.attempts)
            return begun and (privilege or "failed" in node.when)
        case _:
            return False


def to_undo(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks that a rollback undoes, those that succeeded last first."""
    return [key for key in _newest_first(plan, state) if undoable(plan.undo[key.step], state.tasks[key])]


def _newest_first(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks that a rollback undoes, and those that are undone already."""
    found = [
        (task.changed_at, key)
        for key, task in state.tasks.items()
        if key.round == 0
        and key.step in plan.undo
        and not plan.stands_in(key)
        and (task.status == "rolled_back" or undoable(plan.undo[key.step], task))
    ]
    ranks = {leaf: rank for rank, leaf in enumerate(plan.in_order(plan.roots))} if found else {}
    found.sort(key=lambda one: (one[0], ranks.get(one[1].step, 0)), reverse=True)
    return [key for _, key in found]


def standing(plan: Plan, state: RunState) -> list[TaskKey]:
    """The tasks whose effects stand, or may stand: what was done, is in doubt, or is to be undone, and is not yet."""
    return [
        key
        for key, task in state.tasks.items()
        if key.round == 0
        and (node := plan.nodes.get(key.step)) is not None
        and not plan.stands_in(key)
        and (_may_stand(node, task) or (key.step in plan.undo and undoable(plan.undo[key.step], task)))
    ]


def _may_stand(node: Node, task: TaskState) -> bool:
    return node.effect and ((task.status == "succeeded" and task.how != "found") or task.status == "in_doubt")


def unclear(plan: Plan, state: RunState) -> list[TaskKey]:
    """The doubts that bar a rollback: nobody knows whether there is something to undo, nor does it work either way."""
    return [
        key
        for key, task in state.tasks.items()
        if task.status == "in_doubt" and not (key.step in plan.undo and undoable(plan.undo[key.step], task))
    ]


class Block:
    """What is undone before what is older: one task, or chains of them, of which `limit` are at work at once.

    Chains that have been `begun` are never held back for others; they may be more than `limit`, as after a resume.
    """

    __slots__ = ("_active", "_waiting", "limit")

    def __init__(self, chains: list[list[TaskKey]], begun: list[bool], limit: int) -> None:
        self.limit = limit
        self._active: list[tuple[int, deque[TaskKey]]] = []
        self._waiting: deque[tuple[int, deque[TaskKey]]] = deque()
        for place, (chain, has_begun) in enumerate(zip(chains, begun, strict=True)):
            (self._active if has_begun else self._waiting).append((place, deque(chain)))

    def turn(self, ended: Mapping[TaskKey, Standing]) -> list[TaskKey]:
        """The tasks that have their turn, given those that have ended, in order; none when all have."""
        self._active = [(place, chain) for place, chain in self._active if _is_left(chain, ended)]
        while self._waiting and len(self._active) < self.limit:
            place, chain = self._waiting.popleft()
            if _is_left(chain, ended):
                insort(self._active, (place, chain))
        return [chain[0] for _, chain in self._active]


def _is_left(chain: deque[TaskKey], ended: Mapping[TaskKey, Standing]) -> bool:
    """Whether something of a chain is left; what has ended is taken out of it."""
    while chain and chain[0] in ended:
        chain.popleft()
    return bool(chain)


def in_blocks(plan: Plan, state: RunState) -> list[Block]:
    """All that is to be undone, in order."""
    chains: dict[str, dict[str | None, list[TaskKey]]] = {}
    for key in _newest_first(plan, state):
        # A fan-out has its place by the newest of its tasks, also once that is undone.
        chain = chains.setdefault(plan.nodes[key.step].fan or str(key), {}).setdefault(key.target, [])
        if state.tasks[key].status != "rolled_back":
            chain.append(undo_key(key))
    begun = {(plan.node(key.step).fan, key.target) for key in state.tasks if plan.is_rollback(key.step)}
    return [_block(plan, state, around, of_targets, begun) for around, of_targets in chains.items()]


def _block(
    plan: Plan,
    state: RunState,
    around: str,
    chains: Mapping[str | None, list[TaskKey]],
    begun: set[tuple[str | None, str | None]],
) -> Block:
    node = plan.nodes.get(around)
    if node is None or node.fan_out is None:
        return Block(list(chains.values()), [True] * len(chains), 1)
    # The last targets first: in an order that does not change with what is undone already.
    targets: list[str | None] = [target for target in state.resolved[around, 0].index if target in chains]
    targets.reverse()
    return Block(
        [chains[target] for target in targets],
        [(around, target) in begun for target in targets],
        node.fan_out.max_parallel,
    )


class UndoPart:
    """The rollback at work; of a run that is not rolled back, the privileges that are being closed, in any order."""

    __slots__ = ("_at", "_blocks", "_heads", "_open", "_plan", "closing", "ended", "load", "wrong")

    def __init__(self, plan: Plan, found: list[Block] | None) -> None:
        self._plan = plan
        self.closing = found is None
        self._blocks = found or []
        self._at = 0
        self._heads: list[TaskKey] = []
        self._open: dict[TaskKey, TaskPart] = {}
        self.ended: dict[TaskKey, Standing] = {}
        self.load = IDLE
        self.wrong = False  # something could not be undone, or is in doubt

    def any_early(self, state: RunState) -> bool:
        """Whether a privilege is being closed that is still needed."""
        return self.closing and any(state.tasks[key].early for key in self._open)

    def _closings(self) -> Iterator[TaskPart]:
        """Privileges are closed in any order, but those of a fan-out within its max_parallel."""
        busy = Counter(part.node.fan for part in self._open.values() if part.busy)
        for _, part in sorted(self._open.items()):
            fan = self._plan.nodes[part.node.fan].fan_out if part.node.fan is not None else None
            if part.busy or fan is None or busy[part.node.fan] < fan.max_parallel:
                busy[part.node.fan] += 0 if part.busy else 1
                yield part

    def turn(self) -> list[TaskKey]:
        """The tasks that may be opened now, and are not open."""
        while self._at < len(self._blocks):
            self._heads = self._blocks[self._at].turn(self.ended)
            if self._heads:
                return [key for key in self._heads if key not in self._open]
            self._at += 1
        return []

    def open(self, part: TaskPart) -> None:
        """A task is at work from now on, or has ended already."""
        if part.standing == "open":
            self._open[part.key] = part
        else:
            self._close(part)
        self.load = sum_of(self.load, part.load)

    def note(self, part: TaskPart, before: Load) -> None:
        """Take in how an open task stands now, whose load was `before`."""
        self.load = Load(*(all_ + now - then for all_, now, then in zip(self.load, part.load, before, strict=True)))
        if part.standing != "open":
            del self._open[part.key]
            self._close(part)

    def _close(self, part: TaskPart) -> None:
        self.ended[part.key] = part.standing
        self.wrong = self.wrong or part.standing != "done"

    def may_go_on(self) -> Iterator[TaskPart]:
        """The open tasks in which something may be started: those at work, and others as there is room."""
        if self.closing:
            yield from self._closings()
        if not self._heads:
            return
        heads = [self._open[key] for key in self._heads]
        room = self._blocks[self._at].limit - sum(part.busy for part in heads)
        for part in heads:
            if part.busy:
                yield part
            elif room > 0:
                room -= 1
                yield part
