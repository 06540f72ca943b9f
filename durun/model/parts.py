"""The parts of a run at work: a task, a group (for one target, inside a fan-out), or a fan-out.

A part knows how it stands, how bad that is for what stands around it, and how much of it is busy. What is
over is only counted, so that 100,000 targets cost little.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal, TypeAlias

from durun.model.doubt import stuck
from durun.model.plan import FanOutPolicy, Node
from durun.model.retry import will_retry
from durun.model.task import TaskKey, TaskState

Standing = Literal["open", "done", "failed", "doubt"]
"""Of a part: may still move, or has ended in this way (until an operator or a resume changes it)."""

FINE, FAILING, DOUBTFUL = 0, 1, 2
"""Severity of a part: nothing wrong, something failed that nobody forgives, something is in doubt."""

Part: TypeAlias = "TaskPart | GroupPart | FanPart"


class TaskPart:
    """A task that is open."""

    __slots__ = ("busy", "forgiving", "key", "node", "severity", "standing")

    def __init__(self, node: Node, key: TaskKey, task: TaskState | None, session: int) -> None:
        self.node = node
        self.key = key
        # A fan-out forgives for the whole fan-out, not target by target: that is what max_failures is for.
        self.forgiving = node.continue_on_error and node.fan_out is None
        self.refresh(task, session)

    def refresh(self, task: TaskState | None, session: int) -> None:
        """Read the task's state again."""
        self.standing: Standing = "open"
        self.severity = FINE
        self.busy = 0
        if task is None:
            return
        self.busy = 1 if task.status == "running" or task.probe is not None else 0
        match task.status:
            case "succeeded" | "skipped" | "rolled_back":
                self.standing = "done"
            case "failed" if not will_retry(self.node, task):
                self.standing = "done" if self.forgiving else "failed"
                self.severity = FINE if self.forgiving else FAILING
            case "cancelled":
                self.standing, self.severity = "failed", FAILING
            case "in_doubt":
                self.severity = DOUBTFUL
                if stuck(self.node, task, session):
                    self.standing = "doubt"
            case _:
                pass


class GroupPart:
    """The steps of a group (or of the run) at work, for one target where it stands in a fan-out.

    `forgiving`: a failure inside does not count outside. `unstoppable`: a failed child does not stop the next
    ones (`finally`).
    """

    __slots__ = (
        "_dependents",
        "_unmet",
        "busy",
        "ended",
        "forgiving",
        "open",
        "size",
        "target",
        "unstoppable",
        "worst",
    )

    def __init__(
        self, children: list[Node], target: str | None, *, forgiving: bool = False, unstoppable: bool = False
    ) -> None:
        self.target = target
        self.forgiving = forgiving
        self.unstoppable = unstoppable
        self.size = len(children)
        self.open: dict[str, Part] = {}
        self.ended: dict[str, Standing] = {}
        self.worst: dict[str, int] = {}
        self.busy = 0
        self._unmet = {child.id: len(child.needs) for child in children}
        self._dependents: dict[str, list[str]] = {}
        for child in children:
            for need in child.needs:
                self._dependents.setdefault(need, []).append(child.id)

    @property
    def inner_severity(self) -> int:
        """The worst that stands among the children: nothing new is started beside it."""
        return max(self.worst.values(), default=FINE)

    @property
    def severity(self) -> int:
        """What the part around it sees."""
        inner = self.inner_severity
        return FINE if inner == FAILING and self.forgiving else inner

    @property
    def standing(self) -> Standing:
        """Whether the group has ended, and how."""
        inner = self.inner_severity
        if inner == FINE and len(self.ended) == self.size:
            return "done"
        if inner == FINE or self.busy:
            return "open"
        if inner == DOUBTFUL:
            return "open" if any(part.severity == DOUBTFUL for part in self.open.values()) else "doubt"
        return "done" if self.forgiving else "failed"

    def ready(self) -> list[str]:
        """The children that need nothing and are not open yet, at the beginning."""
        return [child for child, count in self._unmet.items() if count == 0]

    def note(self, child: str, part: Part) -> list[str]:
        """Take in how a child stands now; returns the children that may be opened because of it."""
        standing, severity = part.standing, part.severity
        if severity and not (self.unstoppable and severity == FAILING):
            self.worst[child] = severity
        else:
            self.worst.pop(child, None)
        if standing == "open":
            return []
        self.open.pop(child, None)
        self.ended[child] = standing
        if standing == "doubt" or (standing == "failed" and not self.unstoppable):
            return []
        freed = []
        for dependent in self._dependents.get(child, ()):
            self._unmet[dependent] -= 1
            if self._unmet[dependent] == 0:
                freed.append(dependent)
        return freed


class FanPart:
    """A fan-out at work. `placeholder` is the task that stands for it until its targets are known."""

    __slots__ = (
        "active",
        "busy",
        "done",
        "doubts",
        "ended",
        "failed",
        "first_leaves",
        "forgiving",
        "keys",
        "limit",
        "node",
        "pending",
        "placeholder",
        "policy",
        "waves",
    )

    def __init__(self, node: Node, policy: FanOutPolicy, round_: int, first_leaves: tuple[str, ...]) -> None:
        self.node = node
        self.policy = policy
        self.placeholder = TaskKey(node.id, None, round_)
        self.forgiving = node.continue_on_error
        self.first_leaves = first_leaves
        self.keys: tuple[str, ...] | None = None
        self.pending: dict[str, None] = {}
        self.active: dict[str, TaskPart | GroupPart] = {}
        self.busy = 0
        self.done = 0
        self.failed = 0
        self.doubts = 0
        self.ended: Standing | None = None
        self.waves: list[int] = [0]
        self.limit = 0

    def resolve(self, keys: tuple[str, ...]) -> None:
        """The targets are known."""
        self.keys = keys
        self.pending = dict.fromkeys(keys)
        self.waves = self.policy.waves(len(keys))
        self.limit = self.policy.max_failures.of(len(keys))

    @property
    def inner_severity(self) -> int:
        """Above FINE: no new target is started, and nothing in those that are active."""
        doubtful = [part for part in self.active.values() if part.severity == DOUBTFUL]
        failing = sum(1 for part in self.active.values() if part.severity == FAILING)
        if self.failed + self.doubts + failing + len(doubtful) > self.limit:
            return DOUBTFUL if doubtful or self.doubts else FAILING
        return FINE

    @property
    def severity(self) -> int:
        """What the part around it sees: failures within the limit count once nothing is left to start."""
        if self.ended is not None and self.keys is None:
            return FAILING if self.ended == "failed" else FINE
        inner = self.inner_severity
        if inner == FINE and not self.pending and not self.active:
            inner = DOUBTFUL if self.doubts else FAILING if self.failed else FINE
        return FINE if inner == FAILING and self.forgiving else inner

    @property
    def standing(self) -> Standing:
        """Whether the fan-out has ended, and how."""
        if self.keys is None:
            return self.ended or "open"
        over = not self.pending and not self.active
        if not over and (self.busy or self.inner_severity == FINE):
            return "open"
        if not over and any(part.severity == DOUBTFUL for part in self.active.values()):
            return "open"
        if self.doubts:
            return "doubt"
        return "failed" if (self.failed or not over) and not self.forgiving else "done"

    def may_begin(self) -> list[str]:
        """The targets that may be begun now, in order: by max_parallel, the wave, and max_failures."""
        room = self.policy.max_parallel - len(self.active)
        if not self.keys or room <= 0 or not self.pending or self.inner_severity:
            return []
        over = self.done + self.failed + self.doubts
        begun = over + len(self.active)
        wave = bisect_right(self.waves, over)
        end = self.waves[wave] if wave < len(self.waves) else len(self.keys)
        room = min(room, end - begun)
        chosen: list[str] = []
        for key in self.pending:
            if len(chosen) >= room:
                break
            chosen.append(key)
        return chosen

    def note(self, target: str) -> None:
        """Take in how an active target stands now."""
        standing = self.active[target].standing
        if standing == "open":
            return
        del self.active[target]
        if standing == "done":
            self.done += 1
        elif standing == "failed":
            self.failed += 1
        else:
            self.doubts += 1
