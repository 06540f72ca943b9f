"""The parts of a run at work: a task, a group (for one target, inside a fan-out), or a fan-out.

A part knows how it stands, how bad that is for what stands around it, and how much of it is busy. What is
over is only counted, so that 100,000 targets cost little.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from durun.model.doubt import stuck
from durun.model.plan import FanOutPolicy, Node
from durun.model.retry import will_retry
from durun.model.task import TaskKey, TaskState

Standing = Literal["open", "done", "failed", "doubt"]
"""Of a part: may still move, or has ended in this way (until an operator or a resume changes it)."""

FINE, FAILING, DOUBTFUL = 0, 1, 2
"""Severity of a part: nothing wrong, something failed that nobody forgives, something is in doubt."""

Part: TypeAlias = "TaskPart | GroupPart | FanPart"


def being_asked(task: TaskState, session: int) -> bool:
    """Whether a probe is open. What a session left open when it died is asked anew by the next."""
    return task.probe is not None and task.probe.session == session


class Load(NamedTuple):
    """How many tasks in a part are at work, how many move by themselves (at work, or in doubt and to be asked

    or repeated), and how many are in doubt.
    """

    busy: int = 0
    moving: int = 0
    in_doubt: int = 0


IDLE = Load()


def sum_of(one: Load, other: Load) -> Load:
    """Both loads together."""
    return Load(one.busy + other.busy, one.moving + other.moving, one.in_doubt + other.in_doubt)


class TaskPart:
    """A task that is open."""

    __slots__ = ("forgiving", "key", "load", "node", "severity", "standing")

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
        self.load = IDLE
        if task is None:
            return
        if task.status == "running" or being_asked(task, session):
            self.load = Load(1, 1, 1 if task.status == "in_doubt" else 0)
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
                if not self.busy and stuck(self.node, task, session):
                    self.standing = "doubt"
                    self.load = Load(in_doubt=1)
                elif not self.busy:
                    self.load = Load(moving=1, in_doubt=1)
            case _:
                pass

    @property
    def busy(self) -> int:
        """1 if it runs or is being asked about."""
        return self.load.busy


class GroupPart:
    """The steps of a group (or of the run) at work, for one target where it stands in a fan-out.

    `forgiving`: a failure inside does not count outside. `unstoppable`: a failed child does not stop the next
    ones (`finally`).
    """

    __slots__ = (
        "_dependents",
        "_open",
        "_order",
        "_place",
        "_unmet",
        "ended",
        "forgiving",
        "load",
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
        self._open: dict[str, Part] = {}
        self._order: list[tuple[int, str]] = []
        self._place = {child.id: place for place, child in enumerate(children)}
        self.ended: dict[str, Standing] = {}
        self.worst: dict[str, int] = {}
        self.load = IDLE
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
        if inner != FAILING or not self.forgiving:
            return inner
        # Nobody forgives a doubt, also not one that a fan-out inside would have put up with.
        return DOUBTFUL if self.load.in_doubt and not self.load.moving else FINE

    @property
    def standing(self) -> Standing:
        """Whether the group has ended, and how."""
        inner = self.inner_severity
        if inner == FINE and len(self.ended) == self.size:
            return "done"
        if inner == FINE or self.load.moving:
            return "open"
        if inner == DOUBTFUL or (self.forgiving and self.load.in_doubt):
            return "doubt"
        return "done" if self.forgiving else "failed"

    def ready(self) -> list[str]:
        """The children that need nothing and are not open yet, at the beginning."""
        return [child for child, count in self._unmet.items() if count == 0]

    def open(self, child: str, part: Part) -> None:
        """A child is at work from now on."""
        self._open[child] = part
        insort(self._order, (self._place[child], child))

    def children(self) -> Iterator[Part]:
        """The open children in the order of the file, in whatever order they were opened."""
        return (self._open[child] for _, child in self._order)

    def has_closed(self, child: str) -> bool:
        """Whether this child, which has been opened, has ended."""
        return child in self.ended

    def note(self, child: str, part: Part) -> list[str]:
        """Take in how a child stands now; returns the children that may be opened because of it."""
        standing, severity = part.standing, part.severity
        if severity and not (self.unstoppable and severity == FAILING):
            self.worst[child] = severity
        else:
            self.worst.pop(child, None)
        if standing == "open":
            return []
        if self._open.pop(child, None) is not None:
            del self._order[bisect_left(self._order, (self._place[child], child))]
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
    """A fan-out at work. `placeholder` is the task that stands for it until its targets are known.

    `active` are the targets that have begun and not ended, in order, with their places in the list of targets.
    After a resume they may be more than max_parallel: then those that work go on, and the others as there is room.
    """

    __slots__ = (
        "_cursor",
        "_places",
        "_severe",
        "_waves",
        "_working",
        "active",
        "done",
        "doubts",
        "ended",
        "failed",
        "first_leaves",
        "forgiving",
        "keys",
        "limit",
        "load",
        "node",
        "pending",
        "placeholder",
        "policy",
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
        self.load = IDLE
        self.done = 0
        self.failed = 0
        self.doubts = 0
        self.ended: Standing | None = None
        self.limit = 0
        self._places: dict[str, int] = {}
        self._severe: dict[str, int] = {}
        self._working: set[str] = set()
        self._waves: list[int] = [0]
        self._cursor = 0

    def resolve(self, keys: tuple[str, ...]) -> None:
        """The targets are known."""
        self.keys = keys
        self.pending = dict.fromkeys(keys)
        self._waves = self.policy.waves(len(keys))
        self.limit = self.policy.max_failures.of(len(keys))

    def begin(self, target: str, part: TaskPart | GroupPart) -> None:
        """Something has happened to a pending target."""
        keys = self.keys or ()
        self._places[target] = keys.index(target, self._first_pending())
        self.active[target] = part
        del self.pending[target]

    def skip(self, target: str) -> None:
        """All of a pending target is done."""
        del self.pending[target]
        self.done += 1

    @property
    def inner_severity(self) -> int:
        """Above FINE: no new target is started, and nothing in those that are active."""
        if self.failed + self.doubts + len(self._severe) > self.limit:
            return DOUBTFUL if self.doubts or DOUBTFUL in self._severe.values() else FAILING
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
        if not over and (self.load.moving or self.inner_severity == FINE):
            return "open"
        if self.doubts:
            return "doubt"
        return "failed" if (self.failed or not over) and not self.forgiving else "done"

    def may_go_on(self) -> Iterator[TaskPart | GroupPart]:
        """The active targets in which something may be started: by max_parallel and the wave."""
        room, end, working = self.policy.max_parallel - len(self._working), self._end_of_wave(), len(self._working)
        for target, part in self.active.items():
            if target in self._working:
                working -= 1
                yield part
            elif room > 0 and self._places[target] < end:
                room -= 1
                yield part
            elif not working:
                return

    def may_begin(self) -> list[str]:
        """The targets that may be begun now, in order: by max_parallel, the wave, and max_failures."""
        room = self.policy.max_parallel - len(self.active)
        if not self.keys or room <= 0 or not self.pending or self.inner_severity:
            return []
        places = range(self._first_pending(), self._end_of_wave())
        return list(islice((self.keys[place] for place in places if self.keys[place] in self.pending), room))

    def _first_pending(self) -> int:
        """The place of the first pending target; the number of targets if there is none."""
        keys = self.keys or ()
        while self._cursor < len(keys) and keys[self._cursor] not in self.pending:
            self._cursor += 1
        return self._cursor

    def _end_of_wave(self) -> int:
        """Where the wave ends in which the first target that has not ended stands."""
        total = len(self.keys or ())
        first = min(self._first_pending(), next(iter(self._places.values()), total))
        wave = bisect_right(self._waves, first)
        return self._waves[wave] if wave < len(self._waves) else total

    def has_closed(self, target: str) -> bool:
        """Whether this target, which has begun, has ended."""
        return target not in self.active

    def note(self, target: str) -> None:
        """Take in how an active target stands now."""
        part = self.active[target]
        standing, severity = part.standing, part.severity
        self._severe.pop(target, None)
        self._working.discard(target)
        if standing == "open":
            if severity:
                self._severe[target] = severity
            if part.load.busy:
                self._working.add(target)
            return
        del self.active[target], self._places[target]
        if standing == "done":
            self.done += 1
        elif standing == "failed":
            self.failed += 1
        else:
            self.doubts += 1
