"""Asks the outside world for a run: a step's `verify`, and the targets of a fan-out."""

from __future__ import annotations

from durun.actions.api import Process
from durun.engine.ledger import Ledger
from durun.engine.local.outbox import Flight, Outbox, new_nonce
from durun.engine.local.prepare import PROBE_TIMEOUT, Preparer
from durun.engine.local.starting import Starter, failed
from durun.engine.targets import Targets
from durun.errors import DurunError, SecretUnavailable, StorageFailed
from durun.language.expressions import ExpressionError
from durun.language.targets import MOST_BYTES
from durun.model.event import ProbeAnswered, ProbeStarted
from durun.model.outcome import NO_SECRET
from durun.model.runbook import Call, TargetsRun
from durun.model.task import Purpose, TaskKey


class Asker:
    """Asks for the tasks of one run, in one session."""

    def __init__(self, ledger: Ledger, preparer: Preparer, outbox: Outbox, targets: Targets, starter: Starter) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._outbox = outbox
        self._targets = targets
        self._starter = starter

    def ask(self, key: TaskKey, purpose: Purpose) -> None:
        """Ask the `verify` of a task's step. Raises StorageFailed."""
        verify = self._preparer.step(key).verify
        assert verify is not None
        try:
            if purpose == "before" and self._starter.skip(key):
                return
            self.probe(key, purpose, verify.call)
        except ExpressionError as error:
            self._ledger.emit(failed(key, "expression", error))
        except SecretUnavailable as error:
            self._not_asked(key, purpose, error)

    def _not_asked(self, key: TaskKey, purpose: Purpose, error: SecretUnavailable) -> None:
        """Without its secret a verify can't be asked: nothing is known, and what may have been done is not failed."""
        if purpose == "before":
            self._ledger.emit(failed(key, NO_SECRET, error))
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
        launch = self._preparer.launch(key, call, work, max(1, self._starter.next_attempt(key) - 1), outer, purpose)
        launch = launch._replace(timeout=launch.timeout or PROBE_TIMEOUT)
        record = self._ledger.state.record
        nonce, folder = new_nonce(), record.folders + 1
        started = ProbeStarted(**key._asdict(), purpose=purpose, folder=folder, nonce=nonce, session=record.sessions)
        self._ledger.emit(started)
        cap = MOST_BYTES if purpose == "targets" else None
        self._outbox.start(Flight(key, folder, purpose), nonce, launch, cap=cap)

    def resolve(self, key: TaskKey) -> None:
        """Fix the targets of a fan-out, or ask for them. Raises StorageFailed."""
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
            self._ledger.emit(failed(key, NO_SECRET, error))
        except DurunError as error:
            self._ledger.emit(failed(key, "targets", error))
