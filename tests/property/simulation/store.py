"""A journal in memory: events, and the projections that a real one keeps in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.apply import apply, task_of
from durun.model.event import Event, Stamped, decode, encode, type_of
from durun.model.state import LANDMARKS, RunState
from durun.model.task import RunRecord, TaskKey, TaskState


class Store:
    def __init__(self) -> None:
        self.events: list[Stamped] = []
        self.record: RunRecord | None = None
        self.tasks: dict[TaskKey, TaskState] = {}

    @property
    def head(self) -> int:
        return len(self.events)

    def append(self, expected: int, events: Sequence[Event], at: float) -> bool:
        """Append all or, when somebody else was first, nothing."""
        if expected != self.head:
            return False
        for event in events:
            stamped = Stamped(self.head + 1, at, event)
            key = task_of(event)
            before = self.tasks.get(key) if key else None
            self.record, after = apply(self.record, before, event, at, stamped.sequence, "run")
            if key and after is not None:
                self.tasks[key] = after
            self.events.append(stamped)
        return True

    def state(self) -> RunState:
        """The state from the projections."""
        landmarks = [stamped for stamped in self.events if type_of(stamped.event) in LANDMARKS]
        return RunState.from_projection(self.record, dict(self.tasks), landmarks)

    def folded(self) -> RunState:
        """The state from the events alone, as stored."""
        first, *rest = (Stamped(s.sequence, s.at, decode(type_of(s.event), encode(s.event))) for s in self.events)
        state = RunState.begin("run", first)
        for stamped in rest:
            state.fold(stamped)
        return state
