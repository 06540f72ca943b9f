"""A group of steps at work, and the run itself, which is one: whose turn it is, and when the group has ended."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from durun.model.parts import DOUBTFUL, FAILING, FINE, IDLE, Part, Standing
from durun.model.plan import Node


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
        "_undone",
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
        self._undone: set[str] = set()
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

    @property
    def undone(self) -> bool:
        """Whether all in it was done, and some of it is rolled back since."""
        over = len(self.ended) == self.size
        return over and all(end == "done" or child in self._undone for child, end in self.ended.items())

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
        if standing == "failed" and part.undone:
            self._undone.add(child)
        elif standing == "doubt" or (standing == "failed" and not self.unstoppable):
            return []
        freed = []
        for dependent in self._dependents.get(child, ()):
            self._unmet[dependent] -= 1
            if self._unmet[dependent] == 0:
                freed.append(dependent)
        return freed
