"""Performs what `decide` asks for: emits the events, and collects the orders that follow once they are committed."""

from __future__ import annotations

from typing import assert_never

from durun.engine.ledger import Ledger
from durun.engine.local.asking import Asker
from durun.engine.local.closing import Closer
from durun.engine.local.outbox import Flight, Outbox, new_nonce
from durun.engine.local.polling import Poller
from durun.engine.local.prepare import Preparer
from durun.engine.local.results import Results
from durun.engine.local.starting import Starter
from durun.engine.local.wire import Order, RedactOrder
from durun.engine.people import asking_again
from durun.engine.polling import no_longer, overdue
from durun.engine.targets import Targets
from durun.model import decide as todo
from durun.model.ending import about_undoing, rollback_started
from durun.model.event import (
    FinallyStarted,
    TaskCancelled,
    TaskFailed,
    TaskReopened,
    TaskRepeated,
    TaskRetried,
    TaskSucceeded,
)
from durun.model.runbook import Runbook
from durun.model.task import TaskKey


class Performer:
    """Performs commands for one run, in one session."""

    def __init__(
        self, ledger: Ledger, preparer: Preparer, runbook: Runbook, targets: Targets, results: Results, outbox: Outbox
    ) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self.outbox = outbox
        self.poller = Poller(ledger, preparer, outbox, results)
        self.left = False
        self._starter = Starter(ledger, preparer, self.outbox)
        self.asker = Asker(ledger, preparer, self.outbox, targets, self._starter)
        self._closer = Closer(ledger, preparer, runbook, outbox.run_folder)

    def take_orders(self) -> list[Order]:
        """What is to be sent now that the turn is committed: first, what is redacted in all that follows."""
        local = self._preparer.local
        orders, values = self.outbox.take(), local.untold() if local is not None else []
        return [RedactOrder(values), *orders] if values else orders

    def perform(self, command: todo.Command, flights: dict[int, Flight]) -> None:  # noqa: C901  (one case a command)
        """Emit the events of a command. Raises StorageFailed, and Changed for a repeat that would differ."""
        match command:
            case todo.Start(key):
                self._starter.start(key)
            case todo.Resolve(key):
                self.asker.resolve(key)
            case todo.Ask(key, "poll"):
                if not self._is_another(key):
                    self.poller.ask(key)
            case todo.Ask(key, purpose):
                self.asker.ask(key, purpose)
            case todo.Retry(key, due):
                self._ledger.emit(TaskRetried(**key._asdict(), due=due))
            case todo.Repeat(key, proof):
                self._starter.refuse_other(key)
                self._ledger.emit(TaskRepeated(**key._asdict(), proof=proof))
            case todo.GiveUpOn(key):
                reason = f"on_in_doubt: fail ({self._ledger.state.tasks[key].reason})"
                failed = TaskFailed(**key._asdict(), code="in_doubt", reason=reason, retryable=False)
                self._ledger.emit(failed)
            case todo.Stop(key):
                self.outbox.stop(key, flights)
            case todo.AskAgain(key):
                self._ledger.emit(asking_again(self._ledger, key, new_nonce()))
            case todo.NoteUndone() | todo.Close():
                for event in about_undoing(command):
                    self._ledger.emit(event)
            case todo.TimeUp() | todo.Grant() | todo.Deny() | todo.Overdue() | todo.StopWaiting():
                self._end_wait(command)
            case _:
                self._perform_for_run(command)

    def _end_wait(self, command: todo.TimeUp | todo.Grant | todo.Deny | todo.Overdue | todo.StopWaiting) -> None:
        key, emit = command.key, self._ledger.emit
        match command:
            case todo.TimeUp():
                if not self._is_another(key):
                    emit(TaskSucceeded(**key._asdict(), how="ran"))
            case todo.Grant(_, outputs, reason):
                emit(TaskSucceeded(**key._asdict(), how="ran", outputs=outputs, reason=reason))
            case todo.Deny(_, code, reason):
                emit(TaskFailed(**key._asdict(), code=code, reason=reason, how="ran", retryable=False))
            case todo.Overdue():
                if not self._is_another(key):
                    emit(overdue(key, self._ledger.state.tasks[key]))
            case todo.StopWaiting(_, reason):
                emit(TaskCancelled(**key._asdict(), reason=reason))

    def _is_another(self, key: TaskKey) -> bool:
        """Whether a changed runbook has made something else of a step that waits: then it begins as that."""
        withdrawn = no_longer(key, self._ledger.state.tasks[key], self._preparer.step(key))
        if withdrawn is not None:
            self._ledger.emit(withdrawn)
        return withdrawn is not None

    def _perform_for_run(self, command: todo.RunCommand) -> None:
        match command:
            case todo.Reopen(keys):
                self._ledger.emit_all([TaskReopened(**key._asdict()) for key in keys])
            case todo.Leave():
                self.left = True
            case todo.BeginRollback(cause):
                self._ledger.emit(rollback_started(self._ledger.plan, self._ledger.state, cause))
            case todo.BeginFinally(status):
                record, plan = self._ledger.state.record, self._ledger.plan
                started = FinallyStarted(round=record.round, status=status, tasks=plan.task_count(plan.finals))
                self._ledger.emit(started)
            case todo.End(status):
                self.poller.record()
                self._closer.end(status)
            case todo.Park(status):
                self.poller.record()
                self._closer.park(status)
            case todo.WakeAt():
                pass
            case _:
                assert_never(command)
