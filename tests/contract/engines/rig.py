"""An engine, its journal and its world, and a witness of all that is said: the same for every engine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from contract.engines.local import LocalWorld, reap
from contract.engines.memory import MemoryEngine
from contract.engines.memory_world import Clock, MemoryWorld
from contract.engines.script import Crash, World
from contract.engines.wire_form import Posted
from durun.config import Config
from durun.engine.api import (
    CancelRequest,
    DecideRequest,
    Engine,
    Outcome,
    ReapRequest,
    ResumeRequest,
    RollbackRequest,
    SettleRequest,
    Source,
    StartRequest,
)
from durun.engine.local.engine import LocalEngine
from durun.engine.local.hands import Hands
from durun.journal.api import Journal, RunQuery
from durun.journal.memory import MemoryJournal
from durun.journal.sqlite import open_journal
from durun.language.load import load, no_plugins
from durun.model.clock import SystemClock
from durun.model.event import Event, Stamped, encode, type_of
from durun.model.task import TaskKey, TaskState

BY = {"uid": 1000, "user": "ada"}
BOB = {"uid": 1001, "user": "bob"}


class Meddled:
    """A journal in which a test may do something just before and just after a commit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.before: Callable[[Sequence[Event]], None] = lambda events: None
        self.after: Callable[[Sequence[Event]], None] = lambda events: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, run_id: str, expected: int, events: Sequence[Event], at: float, unless: Any = None) -> int:
        self.before(events)
        last = self._journal.append(run_id, expected, events, at, unless)
        self.after(events)
        return last


class Shifted(SystemClock):
    """The machine's clock, set ahead by as many seconds as a test says."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return super().now() + self.time


class Witness:
    """An observer that keeps all it is told, and may do something at it."""

    def __init__(self) -> None:
        self.known = 0
        self.told: list[Stamped] = []
        self.notices: list[str] = []
        self.outcome: Outcome | None = None
        self.at_event: Callable[[Event], None] = lambda event: None
        self.at_tick: Callable[[], None] = lambda: None

    def began(self, state: Any, plan: Any, runbook: Any) -> None:
        self.known = state.record.sequence
        self.told = []
        self.outcome = None

    def saw(self, events: Sequence[Stamped], state: Any) -> None:
        assert self.outcome is None
        self.told += events
        assert state.record.sequence == events[-1].sequence
        for stamped in events:
            self.at_event(stamped.event)

    def said(self, notice: str) -> None:
        self.notices.append(notice)

    def tick(self, now: float) -> None:
        self.at_tick()

    def ended(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Rig:
    """Verbs as a test says them. Every request and every outcome goes through JSON."""

    def __init__(
        self,
        world: World,
        open_it: Callable[[], Journal],
        engine: Callable[[Journal], Engine],
        leave: Any,
        clock: Clock | Shifted,
    ) -> None:
        self._clock = clock
        self.world = world
        self._open = open_it
        self._engine = engine
        self._leave = leave
        self._opened: list[Journal] = []
        self.journal = Meddled(self._new_journal())
        self.witness = Witness()
        self.engine = Posted(engine(self.journal))  # type: ignore[arg-type]
        self.run = ""
        self.plugin = no_plugins

    def _new_journal(self) -> Journal:
        self._opened.append(self._open())
        return self._opened[-1]

    def another(self) -> Rig:
        """Another process at the same state directory."""
        other = Rig(self.world, self._open, self._engine, self._leave, self._clock)
        other.run = self.run or self.journal.find("@last")
        return other

    def pass_time(self, hours: float) -> None:
        """Nobody drives the run, and time goes by."""
        self._clock.time += hours * 3600

    # -- the verbs ---------------------------------------------------------------------------------------------

    def source(self, steps: str, included: Mapping[str, str] | None = None) -> Source:
        """The steps as a runbook; `included`: the steps of the files that it includes."""
        place = self.world.folder if isinstance(self.world, LocalWorld) else "/nowhere"
        text = self.world.text(steps)
        texts = {name: self.world.text(inner) for name, inner in (included or {}).items()}
        loaded = load(text.encode(), "trial.yaml", included=texts, plugin=self.plugin)
        return Source(loaded.runbook, "trial.yaml", str(place))

    def start(self, steps: str, included: Mapping[str, str] | None = None, **more: Any) -> Outcome:
        request = StartRequest(self.source(steps, included), more.pop("inputs", {}), BY, **more)
        return self._witnessed(lambda: self.engine.start(request, self.witness))

    def resume(self, **more: Any) -> Outcome:
        if "change" in more:
            more["change"] = self.source(more["change"], more.pop("included", None))
        request = ResumeRequest(self.run, BY, **more)
        return self._witnessed(lambda: self.engine.resume(request, self.witness))

    def settle(self, task: str, resolution: Any, target: str | None = None, **more: Any) -> Outcome:
        request = SettleRequest(self.run, TaskKey(task, target), resolution, "looked", BY, **more)
        return self._witnessed(lambda: self.engine.signal(request, self.witness))

    def say(self, step: str, verdict: Any, target: str | None = None, **more: Any) -> Outcome:
        """Somebody decides: by default ada's colleague bob, who is called what the approvers are called."""
        asked = self.task(step, target).waiting.asked  # type: ignore[union-attr]
        seen = {"nonce": asked["nonce"], "digest": asked["digest"], "by": BOB, "names": asked.get("approvers", ())}
        request = DecideRequest(self.run, TaskKey(step, target), verdict, **{**seen, **more})
        return self._witnessed(lambda: self.engine.signal(request, self.witness))

    def cancel(self) -> Outcome:
        return self._witnessed(lambda: self.engine.cancel(CancelRequest(self.run, "enough", BY), self.witness))

    def rollback(self) -> Outcome:
        return self._witnessed(lambda: self.engine.rollback(RollbackRequest(self.run, "undo it", BY), self.witness))

    def reap(self) -> Outcome:
        return self._witnessed(lambda: self.engine.reap(ReapRequest(self.run, BY), self.witness))

    def _witnessed(self, verb: Callable[[], Outcome]) -> Outcome:
        self.witness.told = []
        try:
            outcome = verb()
        finally:
            self.run = self.run or self.journal.find("@last")
        if outcome.state is not None:
            assert self.witness.outcome == outcome
            self.told_everything()
            assert outcome.state.record == self.journal.record(self.run)
            assert outcome.state.tasks == self.journal.tasks(self.run)
        assert outcome.run_id == self.run
        assert outcome.status == self.journal.record(self.run).status
        return outcome

    def told_everything(self) -> None:
        """The witness was told every event of this drive, in order, once."""
        assert self.witness.told == self.journal.events(self.run, after=self.witness.known)

    # -- crashes -----------------------------------------------------------------------------------------------

    def crash(self, verb: Callable[[], Outcome], error: type[BaseException] = Crash) -> None:
        """The verb raises this error: the engine is gone, and another one takes its place."""
        with pytest.raises(error):
            verb()
        self._leave()
        self.journal = Meddled(self._new_journal())
        self.witness = Witness()
        self.engine = Posted(self._engine(self.journal))  # type: ignore[arg-type]
        self.run = self.journal.find("@last")

    def crash_at(self, kind: str, step: str | None = None, *, target: str | None = None, committed: bool) -> None:
        """Crash just before or just after the commit of the first such event."""

        def meant(event: Event) -> bool:
            about = getattr(event, "step", None), getattr(event, "target", None)
            return type_of(event) == kind and step in (None, about[0]) and target in (None, about[1])

        def trap(events: Sequence[Event]) -> None:
            if any(map(meant, events)):
                raise Crash

        setattr(self.journal, "after" if committed else "before", trap)

    # -- what the journal says ---------------------------------------------------------------------------------

    def task(self, step: str, target: str | None = None, round_: int = 0) -> TaskState:
        found: TaskState = self.journal.tasks(self.run)[TaskKey(step, target, round_)]
        return found

    def statuses(self) -> dict[str, str]:
        return {str(key): task.status for key, task in self.journal.tasks(self.run).items()}

    def events(self) -> list[str]:
        return [type_of(stamped.event) for stamped in self.journal.events(self.run)]

    def event(self, kind: str) -> dict[str, Any]:
        """The newest event of a type."""
        return encode(self.journal.events(self.run, types=[kind])[-1].event)

    def close(self) -> None:
        for record in self.journal.runs(RunQuery()):
            self.journal.check(record.id)
        for journal in self._opened:
            journal.close()


def memory_rig() -> Rig:
    world, clock, journal = MemoryWorld(), Clock(), MemoryJournal()
    return Rig(world, lambda: journal, lambda found: MemoryEngine(found, clock, world), lambda: None, clock)


def local_rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Rig, Callable[[], None]]:
    """The rig, and what is to be done at the end so that no process stays."""
    started: list[Hands] = []
    begin = Hands.start

    def start() -> Hands:
        started.append(begin())
        return started[-1]

    def leave() -> None:
        """What a supervisor sees when its runner dies: the other end of the socket is closed."""
        for hands in started:
            hands._channel.close()
            hands._gone = True
        gc.collect()

    def close() -> None:
        leave()
        for hands in started:
            reap(hands)

    monkeypatch.setattr(Hands, "start", start)
    monkeypatch.setenv("DURUN_STOP_GRACE", "0.1")
    config, clock = Config(folder / "state"), Shifted()
    world = LocalWorld(folder / "book", started)
    rig = Rig(
        world,
        lambda: open_journal(config.journal_path),
        lambda journal: LocalEngine(config, journal, clock),
        leave,
        clock,
    )
    return rig, close
