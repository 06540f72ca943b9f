"""The plan of a run: the step graph with the numbers that `decide` needs, and nothing that must be rendered.

Derived from a runbook and its inputs by `durun.language.plan`, and the same whenever it is derived again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from durun.model.runbook import InDoubtPolicy, UndoWhen
from durun.model.task import TaskKey, undone_by
from durun.model.tuples import NamedTuple

FREE_REPEATS = 5
"""How often an attempt that never began, or that a verify proved not done, is repeated for free."""


class Retry(NamedTuple):
    """When a failed attempt is tried again. Delays in seconds; `jitter` is the share that may be added at random.

    `on_exit_codes`: only after these (None: after any failure).
    """

    max_attempts: int = 1
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 300.0
    jitter: float = 0.1
    on_exit_codes: tuple[int, ...] | None = None


class VerifyPolicy(NamedTuple):
    """When `verify` is asked. `settle`: seconds between two equal "not done" answers, or None."""

    before: bool = False
    after: bool = False
    settle: float | None = None


class Share(NamedTuple):
    """A number of targets: a count, or a percentage of all."""

    amount: float
    percent: bool = False

    def of(self, total: int) -> int:
        """The count among `total`, rounded down."""
        return math.floor(total * self.amount / 100 + 1e-9) if self.percent else int(self.amount)


class FanOutPolicy(NamedTuple):
    """How targets are worked through. `serial`: sizes of the waves, the last one repeated; empty: one wave."""

    max_parallel: int = 1
    max_failures: Share = Share(0)
    serial: tuple[Share, ...] = ()

    def waves(self, total: int) -> list[int]:
        """Where each wave begins among `total` targets: ascending indices, the first is 0.

        A percentage that rounds to nothing is one target, so that every wave moves on.
        """
        starts = [0]
        sizes = [max(1, share.of(total)) for share in self.serial] or [max(1, total)]
        while starts[-1] + (size := sizes[min(len(starts) - 1, len(sizes) - 1)]) < total:
            starts.append(starts[-1] + size)
        return starts


class Node(NamedTuple):
    """One step in the graph. A leaf is a task (one per target in a fan-out); a group has `children`.

    `needs` are siblings' ids. `fan` is the id of the step, itself or one around it, whose targets multiply it.
    `undoes`: the step of which this is the rollback, and `when` the statuses of its task in which it is to be undone.
    `effect`: whether the step changes anything outside of the run. `after`: of an `approval`, the steps that come
    after it, but those of `finally`. `reads`: of a fan-out, the steps that must be done before its targets are known.
    `until`: what it undoes is a privilege, which ends with this step, or `most` seconds after it was granted;
    `needed_by`: the steps between the two that may need it.
    """

    id: str
    needs: tuple[str, ...] = ()
    parent: str | None = None
    children: tuple[str, ...] = ()
    fan: str | None = None
    fan_out: FanOutPolicy | None = None
    final: bool = False
    retry: Retry = Retry()
    verify: VerifyPolicy | None = None
    idempotent: bool = False
    idempotent_ttl: float | None = None
    on_in_doubt: InDoubtPolicy = "ask"
    continue_on_error: bool = False
    undoes: str | None = None
    when: tuple[UndoWhen, ...] = ()
    effect: bool = True
    after: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    until: str | None = None
    most: float = 0.0
    needed_by: frozenset[str] = frozenset()

    @property
    def leaf(self) -> bool:
        """Whether it is a step that does something, not a group."""
        return not self.children


class Plan(NamedTuple):
    """The whole graph. `roots` and `finals` are the top-level steps and the `finally` steps, in file order.

    `undo`: step → the node that undoes it. `roll_back`: do so when the run fails.
    """

    nodes: Mapping[str, Node]
    roots: tuple[str, ...]
    finals: tuple[str, ...] = ()
    max_parallel: int = 8
    undo: Mapping[str, Node] = {}
    roll_back: bool = False

    def node(self, step: str) -> Node:
        """The node of a task: of a step, or of a rollback."""
        return self.nodes[step] if step in self.nodes else self.undo[undone_by(step)]

    def stands_in(self, key: TaskKey) -> bool:
        """Whether this is the task that stands for a whole fan-out."""
        return key.target is None and key.step in self.nodes and self.nodes[key.step].fan_out is not None

    def is_rollback(self, step: str) -> bool:
        """Whether this names the rollback of a step."""
        return step not in self.nodes and undone_by(step) in self.undo

    def closes_at(self, step: str, now: float) -> float | None:
        """When the privilege ends at the latest that an attempt of the step grants now; None for other steps."""
        node = self.undo.get(step)
        return now + node.most if node is not None and node.until is not None else None

    def leaves(self, node_id: str) -> tuple[str, ...]:
        """The leaves of a group in file order; of a leaf, itself."""
        node = self.nodes[node_id]
        if node.leaf:
            return (node_id,)
        return tuple(leaf for child in node.children for leaf in self.leaves(child))

    def all_leaves(self, roots: tuple[str, ...]) -> list[str]:
        """The leaves of `roots`, in file order."""
        return [leaf for root in roots for leaf in self.leaves(root)]

    def in_order(self, siblings: tuple[str, ...]) -> Iterator[str]:
        """The leaves of these siblings, each one after what it needs."""
        done: set[str] = set()
        rest = siblings
        while rest:
            free = [name for name in rest if done.issuperset(self.nodes[name].needs)]
            for name in free:
                done.add(name)
                if self.nodes[name].leaf:
                    yield name
                else:
                    yield from self.in_order(self.nodes[name].children)
            rest = tuple(name for name in rest if name not in done)

    def task_count(self, roots: tuple[str, ...]) -> int:
        """How many tasks `roots` hold before targets are known: every fan-out counts as one."""
        return sum(self._count(root) for root in roots)

    def _count(self, node_id: str) -> int:
        node = self.nodes[node_id]
        if node.fan_out is not None or node.leaf:
            return 1
        return sum(self._count(child) for child in node.children)


def forgiven(plan: Plan, step: str) -> bool:
    """Whether a failure of the step does not count: by its own `continue_on_error`, or that of a group around it."""
    return forgiving(plan, step) is not None


def forgiving(plan: Plan, step: str) -> str | None:
    """The step itself, or the innermost group around it, whose `continue_on_error` forgives its failure."""
    around: str | None = step
    while around is not None and not plan.nodes[around].continue_on_error:
        around = plan.nodes[around].parent
    return around
