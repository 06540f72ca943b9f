"""Performs what `decide` asks for: emits the events, and collects the orders that follow once they are committed."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple, assert_never

from durun.actions.api import Done, Failed, Pause, Process
from durun.engine.ledger import Ledger
from durun.engine.local.prepare import PROBE_TIMEOUT, Launch, Preparer
from durun.engine.local.wire import Order, RedactOrder, StartOrder, StopOrder
from durun.engine.targets import Targets
from durun.errors import DurunError, SecretUnavailable, StorageFailed
from durun.language.expressions import ExpressionError, render
from durun.model import decide as todo
from durun.model.clock import to_iso
from durun.model.event import (
    FinallyStarted,
    ProbeAnswered,
    ProbeStarted,
    RunEnded,
    RunParked,
    TaskCancelled,
    TaskFailed,
    TaskRepeated,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskWaiting,
)
from durun.model.outcome import NO_SECRET, exit_code_of
from durun.model.resume import failed_tasks
from durun.model.runbook import Call, Runbook, TargetsRun
from durun.model.status import RunStatus
from durun.model.task import Purpose, TaskKey
from durun.model.values import Json

TARGETS_CAP = 64 << 20
"""Bytes of stdout that a list of targets may have."""


class Flight(NamedTuple):
    """A process that works for a task. `adopted`: an earlier session's supervisor has it in hand."""

    key: TaskKey
    folder: int
    kind: Literal["attempt"] | Purpose
    adopted: bool = False


class Performer:
    """Performs commands for one run, in one session."""

    def __init__(
        self, ledger: Ledger, preparer: Preparer, runbook: Runbook, targets: Targets, stop_grace: float
    ) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._runbook = runbook
        self._targets = targets
        self._stop_grace = stop_grace
        self.orders: list[Order] = []
        self.new_flights: list[Flight] = []
        self.stopping: set[TaskKey] = set()
        self._new_stops: set[TaskKey] = set()

    def take_orders(self) -> list[Order]:
        """What is to be sent now that the turn is committed: first, what is redacted in all that follows."""
        local = self._preparer.local
        orders, values = self.orders, local.untold() if local is not None else []
        self._drop()
        return [RedactOrder(values), *orders] if values else orders

    def _drop(self) -> None:
        self.orders = []
        self.new_flights = []
        self._new_stops = set()

    def take_back(self) -> None:
        """Drop what was collected and not committed: the turn is taken again, and nothing of it was sent."""
        self.stopping -= self._new_stops
        self._drop()

    def perform(self, command: todo.Command, flights: dict[int, Flight]) -> None:
        """Emit the events of a command. Raises StorageFailed, and Changed for a repeat that would differ."""
        match command:
            case todo.Start(key):
                self._start(key)
            case todo.Resolve(key):
                self._resolve(key)
            case todo.Ask(key, purpose):
                self._ask(key, purpose)
            case todo.Retry(key, due):
                self._ledger.emit(TaskRetried(**key._asdict(), due=due))
            case todo.Repeat(key, proof):
                self._ledger.emit(TaskRepeated(**key._asdict(), proof=proof))
            case todo.GiveUpOn(key):
                reason = f"on_in_doubt: fail ({self._ledger.state.tasks[key].reason})"
                failed = TaskFailed(**key._asdict(), code="in_doubt", reason=reason, retryable=False)
                self._ledger.emit(failed)
            case todo.Stop(key):
                self._stop(key, flights)
            case todo.TimeUp(key):
                self._ledger.emit(TaskSucceeded(**key._asdict(), how="ran"))
            case todo.StopWaiting(key):
                self._ledger.emit(TaskCancelled(**key._asdict(), reason="stopped by a cancel"))
            case _:
                self._perform_for_run(command)

    def _perform_for_run(self, command: todo.RunCommand) -> None:
        match command:
            case todo.BeginFinally(status):
                record, plan = self._ledger.state.record, self._ledger.plan
                started = FinallyStarted(round=record.round, status=status, tasks=plan.task_count(plan.finals))
                self._ledger.emit(started)
            case todo.End(status):
                self._end(status)
            case todo.Park(status):
                self._ledger.emit(RunParked(status=status, reason=self._waiting_for()))
            case todo.WakeAt():
                pass
            case _:
                assert_never(command)

    # -- starting ---------------------------------------------------------------------------------------------

    def _start(self, key: TaskKey) -> None:
        step = self._preparer.step(key)
        assert step.call is not None
        try:
            if self._skip(key):
                return
            work = self._preparer.work(key, step.call)
            if isinstance(work, Process):
                number = self._next_attempt(key)
                launch = self._preparer.launch(key, step.call, work, number)
                self._preparer.refuse_other(key, launch.request)
                self._intent(key, launch, step.redact)
            elif isinstance(work, Pause):
                self._ledger.emit(TaskWaiting(**key._asdict(), kind="time", until=work.until(self._ledger.now)))
            else:
                self._inline(key, work)
        except ExpressionError as error:
            self._ledger.emit(_failed(key, "expression", error))
        except SecretUnavailable as error:
            self._ledger.emit(_failed(key, NO_SECRET, error))

    def _skip(self, key: TaskKey) -> bool:
        """Ask the `if`s, once: what may have had an effect is never skipped."""
        task = self._ledger.state.tasks.get(key)
        if task is not None and task.attempts:
            return False
        reason = self._preparer.unmet(key)
        if reason is not None:
            self._ledger.emit(TaskSkipped(**key._asdict(), reason=reason))
        return reason is not None

    def _next_attempt(self, key: TaskKey) -> int:
        task = self._ledger.state.tasks.get(key)
        return len(task.attempts) + 1 if task is not None else 1

    def _intent(self, key: TaskKey, launch: Launch, redact: bool) -> None:
        record = self._ledger.state.record
        nonce, folder = _nonce(), record.folders + 1
        self._ledger.emit(
            TaskStarted(
                **key._asdict(),
                attempt=self._next_attempt(key),
                folder=folder,
                nonce=nonce,
                session=record.sessions,
                idempotency_key=self._preparer.idempotency_key(key),
                request=launch.request,
            )
        )
        self._order(Flight(key, folder, "attempt"), nonce, launch, redact=redact)

    def _inline(self, key: TaskKey, work: Done | Failed) -> None:
        """Work that is over as soon as it is prepared: intent and outcome in one commit, and no effect outside."""
        started = TaskStarted(
            **key._asdict(),
            attempt=self._next_attempt(key),
            folder=0,
            nonce="",
            session=self._ledger.state.record.sessions,
            idempotency_key=self._preparer.idempotency_key(key),
            request="",
        )
        sealed = self._sealed(work) if isinstance(work, Done) and work.secret else {}
        self._ledger.emit(started)
        if isinstance(work, Done):
            plain = {name: value for name, value in work.outputs.items() if name not in work.secret}
            self._ledger.emit(TaskSucceeded(**key._asdict(), how="ran", outputs=plain, sealed=sealed))
        else:
            self._ledger.emit(TaskFailed(**key._asdict(), code=work.code, reason=work.reason, how="ran"))

    def _sealed(self, work: Done) -> dict[str, Json]:
        """Seal what was made, before it counts. Raises StorageFailed, SecretUnavailable."""
        secret = {name: work.outputs[name] for name in work.secret}
        return self._preparer.secrecy.seal(f"sealed/made-{_nonce()}", secret)

    def _order(
        self, flight: Flight, nonce: str, launch: Launch, *, redact: bool = False, cap: int | None = None
    ) -> None:
        order = StartOrder(
            flight.folder,
            nonce,
            launch.argv,
            launch.env,
            launch.cwd,
            stdin=launch.stdin,
            timeout=launch.timeout,
            redact=redact or launch.mute,
            stop_grace=self._stop_grace,
            discretion=launch.discretion,
        )
        self.orders.append(order if cap is None else order._replace(output_cap=cap))
        self.new_flights.append(flight)

    # -- asking -----------------------------------------------------------------------------------------------

    def _ask(self, key: TaskKey, purpose: Purpose) -> None:
        verify = self._preparer.step(key).verify
        assert verify is not None
        try:
            if purpose == "before" and self._skip(key):
                return
            self.probe(key, purpose, verify.call)
        except ExpressionError as error:
            self._ledger.emit(_failed(key, "expression", error))
        except SecretUnavailable as error:
            self._not_asked(key, purpose, error)

    def _not_asked(self, key: TaskKey, purpose: Purpose, error: SecretUnavailable) -> None:
        """Without its secret a verify can't be asked: nothing is known, and what may have been done is not failed."""
        if purpose == "before":
            self._ledger.emit(_failed(key, NO_SECRET, error))
            return
        record = self._ledger.state.record
        started = ProbeStarted(
            **key._asdict(), purpose=purpose, folder=record.folders, nonce="", session=record.sessions
        )
        reason = f"verify can't be asked: {error.message} ({error.hint})"
        answered = ProbeAnswered(**key._asdict(), purpose=purpose, answer="unknown", reason=reason)
        self._ledger.emit(started)
        self._ledger.emit(answered)

    def probe(self, key: TaskKey, purpose: Purpose, call: Call) -> None:
        """Start a read-only command for a task. Raises ExpressionError."""
        work = self._preparer.work(key, call)
        if not isinstance(work, Process):
            raise ExpressionError(f"{key}: only `run` can ask", "write verify: {run: …}")
        outer = self._preparer.step(key).call if purpose != "targets" else None
        launch = self._preparer.launch(key, call, work, max(1, self._next_attempt(key) - 1), outer, purpose)
        launch = launch._replace(timeout=launch.timeout or PROBE_TIMEOUT)
        record = self._ledger.state.record
        nonce, folder = _nonce(), record.folders + 1
        started = ProbeStarted(**key._asdict(), purpose=purpose, folder=folder, nonce=nonce, session=record.sessions)
        self._ledger.emit(started)
        cap = TARGETS_CAP if purpose == "targets" else None
        self._order(Flight(key, folder, purpose), nonce, launch, cap=cap)

    def _resolve(self, key: TaskKey) -> None:
        fan_out = self._preparer.step(key).fan_out
        assert fan_out is not None
        try:
            if self._preparer.unmet_without_target(key) is not None:
                self._targets.skip(key)
            elif isinstance(fan_out.source, TargetsRun):
                self.probe(key, "targets", fan_out.source.call)
            else:
                self._targets.resolve(key, self._targets.listed(key, fan_out.source))
        except StorageFailed:
            raise
        except SecretUnavailable as error:
            self._ledger.emit(_failed(key, NO_SECRET, error))
        except DurunError as error:
            self._ledger.emit(_failed(key, "targets", error))

    # -- stopping and ending ----------------------------------------------------------------------------------

    def _stop(self, key: TaskKey, flights: dict[int, Flight]) -> None:
        if key not in self.stopping:
            self.stopping.add(key)
            self._new_stops.add(key)
        self.orders.extend(StopOrder(f.folder, "cancel") for f in flights.values() if f.key == key)

    def _end(self, status: RunStatus) -> None:
        state = self._ledger.state
        outputs: dict[str, Json] = {}
        reason = self._ledger.cancel_reason() if status == "cancelled" else ""
        if status == "succeeded":
            try:
                scope = self._preparer.values.scope(None)
                outputs = {name: render(value, scope) for name, value in self._runbook.outputs.items()}
            except ExpressionError as error:
                status, reason = "failed", f"outputs: {error.message}"
        failed = {key: state.tasks[key] for key in failed_tasks(self._ledger.plan, state)}
        last = {key: task for key, task in state.tasks.items() if key.round == state.record.round}
        exit_code = exit_code_of(status, failed | last)
        ended = RunEnded(status=status, exit_code=exit_code, outputs=outputs, reason=reason)
        self._ledger.emit(ended)

    def _waiting_for(self) -> str:
        tasks = self._ledger.state.tasks.items()
        doubts = [str(key) for key, task in tasks if task.status == "in_doubt"]
        if doubts:
            return f"in doubt: {_some(doubts)}"
        waits = [
            (task.waiting.until, str(key)) for key, task in tasks if task.waiting and task.waiting.until is not None
        ]
        if not waits:
            return "nothing can be done now"
        return f"until {to_iso(min(waits)[0])}: {_some([name for _, name in sorted(waits)])}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _nonce() -> str:
    return os.urandom(16).hex()


def _failed(key: TaskKey, code: str, error: DurunError) -> TaskFailed:
    reason = f"{error.message} ({error.hint})" if error.hint else error.message
    return TaskFailed(**key._asdict(), code=code, reason=reason, retryable=False)
