"""How the engine in memory drives a run: what is decided, into events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from contract.engines.memory_landing import Flight, Landing
from contract.engines.memory_world import Clock, MemoryWorld
from durun.actions.api import Done, Failed, Pause, Process, Question
from durun.engine.api import Observer, Outcome
from durun.engine.beginning import Beginning
from durun.engine.ledger import Ledger
from durun.engine.notices import due, of_status
from durun.engine.people import asking, asking_again
from durun.engine.polling import no_longer, overdue
from durun.engine.targets import Targets
from durun.engine.tasks import Tasks
from durun.errors import Changed, DurunError
from durun.journal.api import SequenceConflict
from durun.language.expressions import ExpressionError, render
from durun.language.targets import TargetError
from durun.model import decide as do
from durun.model import event as ev
from durun.model.ending import (
    about_undoing,
    ended_too_early,
    exit_code_in,
    left_standing,
    reaped_code,
    rollback_started,
)
from durun.model.outcome import exit_code_of
from durun.model.plan import FREE_REPEATS
from durun.model.runbook import Call, Runbook, TargetsRun
from durun.model.status import ENDED
from durun.model.task import TaskKey

IDLE_TURNS = 100
"""Turns in which nothing happens: then a test waits for what will never come."""


class Drive:
    """One run, driven until it ends or parks."""

    def __init__(
        self,
        ledger: Ledger,
        runbook: Runbook,
        beginning: Beginning,
        clock: Clock,
        world: MemoryWorld,
        observer: Observer,
    ) -> None:
        self._ledger = ledger
        self._runbook = runbook
        self._beginning: Beginning | None = beginning
        self._park = beginning.park
        self._reaping, self._left = beginning.reason == "reap", False
        self._clock = clock
        self._world = world
        self._observer = observer
        self._tasks = Tasks(ledger.state, ledger.plan, runbook, clock)
        self._targets = Targets(ledger, self._tasks, _no_file)
        self._landing = Landing(ledger, self._tasks, self._targets, world, self._probe)
        self._flights: dict[str, Flight] = {}
        self._new: list[Flight] = []
        self._stops: list[str] = []
        self._wake: float | None = None

    def drive(self) -> Outcome:
        self._turn([])
        idle = 0
        while (outcome := self._outcome()) is None:
            before = self._ledger.state.record.sequence
            self._observer.tick(self._ledger.now)
            ended = [flight for nonce, flight in self._flights.items() if self._world.played[nonce].end is not None]
            if not ended and self._wake is not None:
                self._clock.time = max(self._clock.time, self._wake)
            self._turn(ended)
            idle = idle + 1 if self._ledger.state.record.sequence == before else 0
            assert idle < IDLE_TURNS, "waited in vain"
        return outcome

    def _turn(self, ended: Sequence[Flight]) -> None:
        while True:
            try:
                found = self._gather(ended)
                self._ledger.commit()
                break
            except SequenceConflict:
                self._ledger.reload()
        self._beginning = None
        for flight in ended:
            del self._flights[flight.nonce]
        self._flights |= {flight.nonce: flight for flight in [*found, *self._new]}
        for flight in self._new:
            self._world.begin(flight.nonce, flight.key, flight.argv)
        for nonce in self._stops:
            self._world.stop(nonce)
        self._ledger.tell()

    def _gather(self, ended: Sequence[Flight]) -> list[Flight]:
        """Emit what this turn is about; returns what an earlier engine had begun, and still runs."""
        self._new, self._stops = [], []
        ledger = self._ledger
        ledger.begin_turn()
        for flight in ended:
            self._landing.land(flight)
        found: list[Flight] = []
        if self._beginning is not None:
            session = ev.SessionStarted(
                session=ledger.state.record.sessions + 1,
                reason=self._beginning.reason,
                pid=0,
                host="memory",
                boot_id="",
                pid_namespace="",
                mount_id="",
                by=self._beginning.by,
            )
            ledger.emit_all(self._beginning.opening(session, ledger.state, ledger.plan, ledger.now))
            found = self._take_over()
        stopping: set[str] = set()
        while not self._over():
            commands = do.decide(ledger.progress, ledger.now, self._park)
            self._wake = min((c.time for c in commands if isinstance(c, do.WakeAt)), default=None)
            todo = [c for c in commands if not isinstance(c, do.WakeAt) and str(c) not in stopping]
            if not todo:
                break
            for command in todo:
                if isinstance(command, do.Stop):
                    stopping.add(str(command))
                self._perform(command, [*self._flights.values(), *found])
        return found

    def _over(self) -> bool:
        status = self._ledger.state.record.status
        if self._reaping:
            return self._left
        return status in ENDED or status in ("waiting", "in_doubt")

    def _outcome(self) -> Outcome | None:
        if not self._over():
            return None
        record = self._ledger.state.record
        code = record.exit_code
        if self._reaping:
            code = reaped_code(self._ledger.plan, self._ledger.state)
        elif code is None or record.status not in ENDED:
            code = exit_code_of(record.status, self._ledger.state.tasks)
        return Outcome(record.id, record.status, code, self._ledger.state)

    # -- what an earlier engine left ---------------------------------------------------------------------------

    def _take_over(self) -> list[Flight]:
        found = []
        for key, task in list(self._ledger.state.tasks.items()):
            if task.probe is not None and task.probe.purpose != "poll":
                answered = ev.ProbeAnswered(**key._asdict(), purpose=task.probe.purpose, answer="unknown")
                self._ledger.emit(answered)
            if task.status != "running" or task.attempt is None:
                continue
            flight = Flight(key, "attempt", task.attempt.nonce, how="adopted")
            played = self._world.played.get(flight.nonce)
            if played is None:
                self._never_began(key)
            elif played.lost:
                self._ledger.emit(ev.TaskInDoubt(**key._asdict(), reason="nobody knows how it ended"))
            elif played.end is None:
                found.append(flight)
            else:
                self._landing.land(flight)
        return found

    def _never_began(self, key: TaskKey) -> None:
        task = self._ledger.state.tasks[key]
        reason = "the engine was gone before it began"
        if task.fences < FREE_REPEATS:
            self._ledger.emit(ev.TaskNeverBegan(**key._asdict(), attempt=len(task.attempts), reason=reason))
        else:
            failed = ev.TaskFailed(**key._asdict(), code="not_started", reason=reason, retryable=False)
            self._ledger.emit(failed)

    # -- what is decided ---------------------------------------------------------------------------------------

    def _perform(self, command: do.Command, flights: Sequence[Flight]) -> None:  # noqa: C901  (one case a command)
        emit = self._ledger.emit
        match command:
            case do.Start(key):
                self._guarded(key, self._start)
            case do.Ask(key, "poll"):
                self._guarded(key, self._ask_poll)
            case do.Ask(key, purpose):
                self._guarded(key, lambda key: self._ask(key, purpose))
            case do.Resolve(key):
                self._guarded(key, self._resolve, "targets")
            case do.Retry(key, due):
                emit(ev.TaskRetried(**key._asdict(), due=due))
            case do.Repeat(key, proof):
                self._refuse_other(key)
                emit(ev.TaskRepeated(**key._asdict(), proof=proof))
            case do.GiveUpOn(key):
                emit(ev.TaskFailed(**key._asdict(), code="in_doubt", reason="on_in_doubt: fail", retryable=False))
            case do.TimeUp() | do.Grant() | do.Deny() | do.Overdue() | do.StopWaiting():
                self._end_wait(command)
            case do.AskAgain(key):
                emit(asking_again(self._ledger, key, self._world.name("nonce")))
            case do.NoteUndone() | do.Close():
                for event in about_undoing(command):
                    emit(event)
            case do.Reopen(keys):
                self._ledger.emit_all([ev.TaskReopened(**key._asdict()) for key in keys])
            case do.Leave():
                self._left = True
            case do.BeginRollback(cause):
                emit(rollback_started(self._ledger.plan, self._ledger.state, cause))
            case do.Stop(key):
                self._stops += [flight.nonce for flight in flights if flight.key == key]
            case do.BeginFinally(status):
                count = self._ledger.plan.task_count(self._ledger.plan.finals)
                emit(ev.FinallyStarted(round=self._ledger.state.record.round, status=status, tasks=count))
            case do.End(status):
                self._end(status)
            case do.Park(status):
                self._have_told(status, 0)
                emit(ev.RunParked(status=status, reason="parked"))

    def _end_wait(self, command: do.TimeUp | do.Grant | do.Deny | do.Overdue | do.StopWaiting) -> None:
        key, emit = command.key, self._ledger.emit
        match command:
            case do.TimeUp() | do.Overdue():
                task = self._ledger.state.tasks[key]
                done = ev.TaskSucceeded(**key._asdict(), how="ran")
                over = done if isinstance(command, do.TimeUp) else overdue(key, task)
                emit(no_longer(key, task, self._tasks.step(key)) or over)
            case do.Grant(_, outputs, reason):
                emit(ev.TaskSucceeded(**key._asdict(), how="ran", outputs=outputs, reason=reason))
            case do.Deny(_, code, reason):
                emit(ev.TaskFailed(**key._asdict(), code=code, reason=reason, retryable=False))
            case do.StopWaiting(_, reason):
                emit(ev.TaskCancelled(**key._asdict(), reason=reason))

    def _refuse_other(self, key: TaskKey) -> None:
        call = self._tasks.step(key).call
        assert call is not None
        try:
            work = self._tasks.work(key, call)
        except DurunError:
            return  # the attempt itself fails by it
        if isinstance(work, Process):
            self._tasks.refuse_other(key, self._request(key, work, call))

    def _guarded(self, key: TaskKey, perform: Any, code: str = "expression") -> None:
        try:
            perform(key)
        except Changed:
            raise
        except DurunError as error:
            self._ledger.emit(ev.TaskFailed(**key._asdict(), code=code, reason=error.message, retryable=False))

    def _skipped(self, key: TaskKey) -> bool:
        reason = self._tasks.unmet(key)
        if reason is not None:
            self._ledger.emit(ev.TaskSkipped(**key._asdict(), reason=reason))
        return reason is not None

    def _start(self, key: TaskKey) -> None:
        if self._skipped(key):
            return
        call = self._tasks.step(key).call
        assert call is not None
        work = self._tasks.work(key, call)
        if isinstance(work, Pause):
            until, kind = work.until(self._ledger.now), "time" if work.every is None else "poll"
            self._ledger.emit(ev.TaskWaiting(**key._asdict(), kind=kind, until=until, every=work.every))
            return
        if isinstance(work, Question):
            self._ledger.emit(asking(self._ledger, key, work, self._world.name("nonce")))
            return
        task, record = self._ledger.state.tasks.get(key), self._ledger.state.record
        inline = not isinstance(work, Process)
        request = "" if inline else self._request(key, work, call)
        self._tasks.refuse_other(key, request)
        started = ev.TaskStarted(
            **key._asdict(),
            attempt=len(task.attempts) + 1 if task is not None else 1,
            folder=0 if inline else record.folders + 1,
            nonce="" if inline else self._world.name("nonce"),
            session=record.sessions,
            idempotency_key=self._tasks.idempotency_key(key),
            request=request,
            closes_at=self._ledger.plan.closes_at(key.step, self._ledger.now),
        )
        self._ledger.emit(started)
        match work:
            case Process(argv):
                self._new.append(Flight(key, "attempt", started.nonce, argv))
            case Done(outputs):
                self._ledger.emit(ev.TaskSucceeded(**key._asdict(), how="ran", outputs=outputs))
            case Failed(code, reason):
                self._ledger.emit(ev.TaskFailed(**key._asdict(), code=code, reason=reason, how="ran"))

    def _request(self, key: TaskKey, work: Any, call: Call) -> str:
        env = render({**self._tasks.values.frame(key.step).holds.env, **call.env}, self._tasks.scope(key))
        return json.dumps([work, env], default=repr)

    def _ask(self, key: TaskKey, purpose: Any) -> None:
        verify = self._tasks.step(key).verify
        assert verify is not None
        if purpose != "before" or not self._skipped(key):
            self._probe(key, purpose, verify.call)

    def _probe(self, key: TaskKey, purpose: Any, call: Call) -> None:
        work, record = self._tasks.work(key, call), self._ledger.state.record
        assert isinstance(work, Process)
        nonce = self._world.name("nonce")
        started = ev.ProbeStarted(
            **key._asdict(), purpose=purpose, folder=record.folders + 1, nonce=nonce, session=record.sessions
        )
        self._ledger.emit(started)
        self._new.append(Flight(key, purpose, nonce, work.argv))

    def _ask_poll(self, key: TaskKey) -> None:
        step = self._tasks.step(key)
        withdrawn = no_longer(key, self._ledger.state.tasks[key], step)
        if withdrawn is not None:
            self._ledger.emit(withdrawn)
            return
        assert step.poll is not None
        self._probe(key, "poll", step.poll.call)

    def _resolve(self, key: TaskKey) -> None:
        fan_out = self._tasks.step(key).fan_out
        assert fan_out is not None
        if self._tasks.unmet_without_target(key) is not None:
            self._targets.skip(key)
        elif isinstance(fan_out.source, TargetsRun):
            self._probe(key, "targets", fan_out.source.call)
        else:
            self._targets.resolve(key, self._targets.listed(key, fan_out.source))

    def _end(self, status: Any) -> None:
        state = self._ledger.state
        outputs: dict[str, Any] = {}
        reason = self._ledger.cancel_reason() if status == "cancelled" else ""
        if status == "succeeded":
            try:
                scope = self._tasks.values.scope(None)
                outputs = {name: render(value, scope) for name, value in self._runbook.outputs.items()}
            except ExpressionError as error:
                status, reason = "failed", error.message
        plan = self._ledger.plan
        if status in ("failed", "rolled_back"):
            reason = reason or ended_too_early(plan, state)
        code, left = exit_code_in(plan, state, status), left_standing(plan, state)
        self._have_told(status, code)
        self._ledger.emit(ev.RunEnded(status=status, exit_code=code, outputs=outputs, reason=reason, standing=left))

    def _have_told(self, status: Any, code: int) -> None:
        wanted = due(self._runbook, self._ledger.state, of_status(status, code), self._ledger.newest("notify_due"))
        if wanted is not None:
            self._ledger.emit(wanted)


def _no_file(name: str, _private: bool) -> bytes:
    raise TargetError(f"there are no files here: {name}")
