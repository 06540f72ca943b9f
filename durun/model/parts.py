"""The parts of a run at work: a task, here, a group (`durun.model.group`), or a fan-out (`durun.model.fan`).

A part knows how it stands, how bad that is for what stands around it, and how much of it is at work.
"""

from __future__ import annotations

from typing import Literal, Protocol

from durun.model.doubt import stuck
from durun.model.plan import Node
from durun.model.retry import will_retry
from durun.model.task import TaskKey, TaskState
from durun.model.tuples import NamedTuple

Standing = Literal["open", "done", "failed", "doubt"]
"""Of a part: may still move, or has ended in this way (until an operator or a resume changes it)."""

FINE, FAILING, DOUBTFUL = 0, 1, 2
"""Severity of a part: nothing wrong, something failed that nobody forgives, something is in doubt."""


def being_asked(task: TaskState, session: int) -> bool:
    """Whether a probe is open. What a session left open when it died is asked anew by the next."""
    return task.probe is not None and task.probe.session == session


class Load(NamedTuple):
    """How many tasks in a part are busy (run, or are asked about), move by themselves, and are in doubt.

    A task moves by itself when it is busy, or in doubt and there is a way out that needs no operator.
    """

    busy: int = 0
    moving: int = 0
    in_doubt: int = 0


IDLE = Load()


def sum_of(one: Load, other: Load) -> Load:
    """Both loads together."""
    return Load(one.busy + other.busy, one.moving + other.moving, one.in_doubt + other.in_doubt)


class Part(Protocol):
    """What a part shows to the one around it."""

    @property
    def standing(self) -> Standing:
        """Whether it has ended, and how."""

    @property
    def severity(self) -> int:
        """How bad it is."""

    @property
    def load(self) -> Load:
        """How much of it is at work."""

    @property
    def undone(self) -> bool:
        """Whether it was done, and is rolled back since: what comes after it may be at work."""


class TaskPart:
    """A task that is open."""

    __slots__ = ("forgiving", "key", "load", "node", "severity", "standing", "undone")

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
        self.undone = task is not None and task.status == "rolled_back"
        if task is None:
            return
        if task.status == "running" or being_asked(task, session):
            self.load = Load(1, 1, 1 if task.status == "in_doubt" else 0)
        match task.status:
            case "rolled_back" if task.code and not self.forgiving:
                self.standing, self.severity = "failed", FAILING
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

    def count_as_done(self) -> None:
        """What comes after it goes on as if it were not rolled back."""
        self.standing, self.severity, self.load, self.undone = "done", FINE, IDLE, False

    @property
    def busy(self) -> int:
        """1 if it runs or is being asked about."""
        return self.load.busy
