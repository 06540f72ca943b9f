"""A fan-out at work: which targets may begin and which may go on, by max_parallel, the wave and max_failures.

Targets that are over are only counted, so that 100,000 of them cost little.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice

from durun.model.parts import DOUBTFUL, FAILING, FINE, IDLE, Part, Standing
from durun.model.plan import FanOutPolicy, Node
from durun.model.task import TaskKey


class FanPart:
    """A fan-out at work. `stand_in` is the task that stands for it until its targets are known.

    `active` are the targets that have begun and not ended, in order, with their places in the list of targets.
    After a resume they may be more than max_parallel: then those that work go on, and the others as there is room.
    `held`: people are still to decide on its targets.
    """

    __slots__ = (
        "_cursor",
        "_places",
        "_severe",
        "_undone",
        "_waves",
        "_working",
        "active",
        "done",
        "doubts",
        "ended",
        "failed",
        "first_leaves",
        "forgiving",
        "held",
        "keys",
        "limit",
        "load",
        "node",
        "pending",
        "policy",
        "stand_in",
    )

    def __init__(self, node: Node, policy: FanOutPolicy, round_: int, first_leaves: tuple[str, ...]) -> None:
        self.node = node
        self.policy = policy
        self.stand_in = TaskKey(node.id, None, round_)
        self.forgiving = node.continue_on_error
        self.first_leaves = first_leaves
        self.keys: tuple[str, ...] | None = None
        self.pending: dict[str, None] = {}
        self.active: dict[str, Part] = {}
        self.load = IDLE
        self.done = 0
        self.failed = 0
        self.doubts = 0
        self._undone = 0
        self.held = False
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

    def begin(self, target: str, part: Part) -> None:
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
    def busy(self) -> int:
        """How many of its tasks run or are being asked about."""
        return self.load.busy

    @property
    def inner_severity(self) -> int:
        """Above FINE: no new target is started, and nothing in those that are active."""
        if self.failed + self.doubts + len(self._severe) > self.limit:
            return DOUBTFUL if self.doubts or DOUBTFUL in self._severe.values() else FAILING
        return FINE

    @property
    def severity(self) -> int:
        """What the part around it sees: failures within the limit count once nothing is left to start."""
        if self.ended is not None:
            return FAILING if self.ended == "failed" else FINE
        inner = self.inner_severity
        if inner == FINE and not self.pending and not self.active:
            inner = DOUBTFUL if self.doubts else FAILING if self.failed else FINE
        return FINE if inner == FAILING and self.forgiving else inner

    @property
    def standing(self) -> Standing:
        """Whether the fan-out has ended, and how."""
        if self.keys is None or self.held or self.ended is not None:
            return self.ended or "open"
        over = not self.pending and not self.active
        if not over and (self.load.moving or self.inner_severity == FINE):
            return "open"
        if self.doubts:
            return "doubt"
        return "failed" if (self.failed or not over) and not self.forgiving else "done"

    def may_go_on(self) -> Iterator[Part]:
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
        room = 0 if self.held else self.policy.max_parallel - len(self.active)
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

    @property
    def undone(self) -> bool:
        """Whether all targets were done, and some are rolled back since."""
        return not self.pending and not self.active and not self.doubts and self.failed == self._undone

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
            self._undone += part.undone
        else:
            self.doubts += 1
