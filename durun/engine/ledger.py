"""The run's state in memory and its events in the journal, kept as one.

Events are folded into the state as they are decided, and committed together at the end of a turn: the outcome
of the last step and the intent of the next go into one transaction. Should somebody else have appended a
request meanwhile, the commit is refused whole, the state is read anew, and the turn is taken again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from durun.engine.api import Observer
from durun.engine.secrecy import NO_SECRETS, Secrecy
from durun.journal.api import Journal
from durun.journal.reading import read_state
from durun.model.clock import Clock
from durun.model.event import (
    CancelRequested,
    ClockJumped,
    Event,
    FinallyStarted,
    ProbeStarted,
    RollbackStarted,
    RoundStarted,
    SessionStarted,
    Stamped,
    TaskEvent,
    TaskWaiting,
    key_of,
    type_of,
)
from durun.model.plan import Plan
from durun.model.progress import Progress
from durun.model.state import RunState
from durun.model.task import TaskKey, TaskState

_E = TypeVar("_E", bound=Event)

_JUMP = 60.0
"""Seconds by which the clock must have been set back or forward before it is worth an event."""


class Ledger:
    """One run's state, and what is to be committed next. `secrecy` takes secrets out of what events tell."""

    def __init__(
        self,
        journal: Journal,
        state: RunState,
        plan: Plan,
        clock: Clock,
        observer: Observer,
        secrecy: Secrecy = NO_SECRETS,
        *,
        reaping: bool = False,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._observer = observer
        self._secrecy = secrecy
        self._reaping = reaping
        self._pending: list[Stamped] = []
        self._untold: list[Stamped] = []
        # What is in no event: as of the last commit, and in this turn (False: recorded meanwhile).
        self._in_mind: dict[TaskKey, TaskState] = {}
        self._minded: dict[TaskKey, bool] = {}
        self._committed = state.record.sequence
        self.state = state
        self.plan = plan
        self._progress: Progress | None = None
        least = clock.least(state.record.id)
        self.now = max(self._latest(), least)
        self._highest = self._shown = self.now
        # The time by what the machine has counted, and a jump over it that is not recorded yet.
        self._counted = least or self.now
        self._forward: ClockJumped | None = None
        self._passed = clock.monotonic()

    @property
    def progress(self) -> Progress:
        """What is open now: built when it is asked for, as the first events of a session change all of it."""
        if self._progress is None:
            self._progress = Progress(self.plan, self.state, reaping=self._reaping)
        return self._progress

    def _latest(self) -> float:
        """The time of the newest event: the floor under the clock."""
        newest = self._journal.events(self.state.record.id, after=self._committed - 1)
        return newest[-1].at if newest else self.state.record.created_at

    def begin_turn(self) -> None:
        """Read the time, and take in what others have appended."""
        found = self._shown = self._clock.now()
        passed = self._elapsed()
        if self._is_ahead(found, self._counted + passed):
            self._forward = ClockJumped(expected=self._counted + passed, found=found)
        if self._has_jumped():
            self.emit(ClockJumped(expected=self.now, found=found))
        elif self._forward is not None:
            self.emit(self._forward)
        self.now = max(self.now + passed, found)
        self._counted = max(self._counted + passed, found)
        self._clock.saw(self.state.record.id, self.now)
        if not self._pending:
            self.catch_up()

    def _elapsed(self) -> float:
        """Seconds since the last turn: behind a clock that was set back, what is due must still come."""
        before, self._passed = self._passed, self._clock.monotonic()
        return self._passed - before

    def _has_jumped(self) -> bool:
        """Whether the clock went back since the last recorded jump: one that stays behind has jumped only once."""
        return self._shown < self._highest - _JUMP

    def _is_ahead(self, found: float, counted: float) -> bool:
        """Whether the clock was set forward: also by what counts while the machine sleeps, where that is known."""
        return found > counted + _JUMP and 0 < self._clock.least(self.state.record.id) < found - _JUMP

    def catch_up(self) -> None:
        """Fold the events that others have appended."""
        run_id = self.state.record.id
        if self._journal.head(run_id) == self._committed:
            return
        new = self._journal.events(run_id, after=self._committed)
        for stamped in new:
            self._fold(stamped)
        self._committed = self.state.record.sequence
        self._observer.saw(new, self.state)

    def emit(self, event: Event) -> None:
        """Decide on an event: it is part of the state now, and of the journal with the next commit."""
        if self._secrecy.active:
            event = self._scrubbed(event)
        stamped = Stamped(self.state.record.sequence + 1, self.now, event)
        self._fold(stamped)
        self._pending.append(stamped)
        if isinstance(event, TaskEvent) and not isinstance(event, ProbeStarted):
            self._minded[key_of(event)] = False

    def keep_in_mind(self, event: TaskEvent) -> None:
        """An event that is not worth a place in the journal: part of the state now, and lost with this process.

        Only for what a later event about the task says too.
        """
        if self._secrecy.active:
            event = self._scrubbed(event)
        self._fold(Stamped(self.state.record.sequence, self.now, event))
        self._minded[key_of(event)] = True

    def kept_in_mind(self) -> list[TaskKey]:
        """The tasks that stand differently than the journal says."""
        known = {**dict.fromkeys(self._in_mind, True), **self._minded}
        return [key for key, kept in known.items() if kept and self.state.tasks[key].status == "waiting"]

    def _scrubbed(self, event: _E) -> _E:
        """The one field of an event that holds words from elsewhere is its reason."""
        told: Any = event
        if isinstance(event, SessionStarted) or not getattr(event, "reason", ""):
            return event
        scrubbed: _E = told._replace(reason=self._secrecy.scrub(told.reason))
        return scrubbed

    def emit_all(self, events: Sequence[Event]) -> None:
        """Decide on many events at once: what follows from them is worked out only once."""
        for event in events:
            stamped = Stamped(self.state.record.sequence + 1, self.now, event)
            self.state.fold(stamped)
            self._pending.append(stamped)
        self._progress = None

    def _fold(self, stamped: Stamped) -> None:
        key = self.state.fold(stamped)
        if key is not None and self._progress is not None:
            self._progress.update(key)
        elif isinstance(stamped.event, SessionStarted | RoundStarted | RollbackStarted | FinallyStarted):
            self._progress = None

    @property
    def pending(self) -> int:
        """How many events wait for the commit."""
        return len(self._pending)

    def commit(self) -> None:
        """Make what was emitted durable; then `tell`. Raises SequenceConflict (then `reload`), StorageFailed."""
        events = self._pending
        if events:
            self._journal.append(self.state.record.id, self._committed, [e.event for e in events], self.now)
        self._highest = self._shown if self._has_jumped() else max(self._highest, self._shown)
        self._forward = None
        self._in_mind = {key: self.state.tasks[key] for key in self.kept_in_mind()}
        self._minded = {}
        if not events:
            return
        self._committed = self.state.record.sequence
        self._untold += events
        self._pending = []

    def tell(self) -> None:
        """Tell the observer what was committed: apart from the commit, for what follows from that goes first."""
        events, self._untold = self._untold, []
        if events:
            self._observer.saw(events, self.state)

    def newest(self, kind: str) -> Event | None:
        """The newest event of a stored type."""
        return next((found.event for found in self._newest_first(kind)), None)

    def cancel_reason(self) -> str:
        """Why the run is to be stopped, by the newest request: the record's reason is by now another one."""
        newest = self.newest("cancel_requested")
        return newest.reason if isinstance(newest, CancelRequested) else ""

    def newest_question(self, step: str) -> tuple[float, TaskWaiting]:
        """When people were asked at this step, and with what, the last time. It must have been."""
        found = ((one.at, one.event) for one in self._newest_first("task_waiting"))
        return next((at, event) for at, event in found if isinstance(event, TaskWaiting) and event.step == step)

    def _newest_first(self, kind: str) -> Iterator[Stamped]:
        """The events of a stored type, those that are not committed yet among them."""
        found = [*self._journal.events(self.state.record.id, types=(kind,)), *self._pending]
        return (stamped for stamped in reversed(found) if type_of(stamped.event) == kind)

    def reload(self) -> None:
        """Forget what was emitted and not committed, and read the state anew, in place, with what others appended."""
        run_id = self.state.record.id
        fresh = read_state(self._journal, run_id)
        new = [e for e in self._journal.events(run_id, after=self._committed) if e.sequence <= fresh.record.sequence]
        self.state.replace_with(fresh)
        self.state.tasks.update((k, task) for k, task in self._in_mind.items() if fresh.tasks[k].status == "waiting")
        self._minded = {}
        self._pending = []
        self._committed = self.state.record.sequence
        self._progress = None
        if new:
            self._observer.saw(new, self.state)
