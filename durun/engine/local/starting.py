"""Starts tasks: asks their `if`s, records the intent, and orders the process, or has it done on the spot."""

from __future__ import annotations

import json
from contextlib import suppress

from durun.actions.api import Done, Failed, Pause, Process, Question
from durun.engine.ledger import Ledger
from durun.engine.local.outbox import Flight, Outbox, new_nonce
from durun.engine.local.prepare import Launch, Preparer
from durun.engine.local.wire import Collect
from durun.engine.people import asking
from durun.errors import DurunError, SecretUnavailable
from durun.language.expressions import ExpressionError
from durun.model.event import TaskFailed, TaskSkipped, TaskStarted, TaskSucceeded, TaskWaiting
from durun.model.outcome import NO_EVIDENCE, NO_SECRET
from durun.model.runbook import Step
from durun.model.task import TaskKey, WaitKind
from durun.model.values import Json


class Starter:
    """Starts the tasks of one run, in one session."""

    def __init__(self, ledger: Ledger, preparer: Preparer, outbox: Outbox) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._outbox = outbox

    def start(self, key: TaskKey) -> None:
        """Start an attempt, unless an `if` says otherwise.

        Raises StorageFailed, and Changed for a repeat that would differ.
        """
        step = self._preparer.step(key)
        assert step.call is not None
        try:
            if self.skip(key):
                return
            work = self._preparer.work(key, step.call)
            if isinstance(work, Process):
                number = self.next_attempt(key)
                launch = self._preparer.launch(key, step.call, work, number)
                if step.collects and launch.discreet:
                    self._ledger.emit(_no_evidence(key))
                    return
                self._preparer.refuse_other(key, launch.request)
                self._intent(key, launch, step)
            elif isinstance(work, Pause):
                self._ledger.emit(waiting(key, work, self._ledger.now))
            elif isinstance(work, Question):
                self._ledger.emit(asking(self._ledger, key, work, new_nonce()))
            else:
                self._inline(key, work)
        except ExpressionError as error:
            self._ledger.emit(failed(key, "expression", error))
        except SecretUnavailable as error:
            self._ledger.emit(failed(key, NO_SECRET, error))

    def refuse_other(self, key: TaskKey) -> None:
        """Raise Changed for a repeat that would differ, before it is recorded that it may be made."""
        call = self._preparer.step(key).call
        assert call is not None
        with suppress(ExpressionError, SecretUnavailable):  # the attempt itself fails by these
            work = self._preparer.work(key, call)
            if isinstance(work, Process):
                launch = self._preparer.launch(key, call, work, self.next_attempt(key))
                self._preparer.refuse_other(key, launch.request)

    def skip(self, key: TaskKey) -> bool:
        """Ask the `if`s, once: what may have had an effect is never skipped. Whether the task is skipped."""
        task = self._ledger.state.tasks.get(key)
        if task is not None and task.attempts:
            return False
        reason = self._preparer.unmet(key)
        if reason is not None:
            self._ledger.emit(TaskSkipped(**key._asdict(), reason=reason))
        return reason is not None

    def next_attempt(self, key: TaskKey) -> int:
        """The number of the attempt that the task would have next, from 1."""
        task = self._ledger.state.tasks.get(key)
        return len(task.attempts) + 1 if task is not None else 1

    def _intent(self, key: TaskKey, launch: Launch, step: Step) -> None:
        record = self._ledger.state.record
        nonce, folder = new_nonce(), record.folders + 1
        self._ledger.emit(
            TaskStarted(
                **key._asdict(),
                attempt=self.next_attempt(key),
                folder=folder,
                nonce=nonce,
                session=record.sessions,
                idempotency_key=self._preparer.idempotency_key(key),
                request=launch.request,
                closes_at=self._ledger.plan.closes_at(key.step, self._ledger.now),
                plugin=launch.plugin,
            )
        )
        collect = None if step.redact or launch.discreet else collect_of(step, launch)
        self._outbox.start(Flight(key, folder, "attempt"), nonce, launch, redact=step.redact, collect=collect)

    def _inline(self, key: TaskKey, work: Done | Failed) -> None:
        """Work that is over as soon as it is prepared: intent and outcome in one commit, and no effect outside."""
        started = TaskStarted(
            **key._asdict(),
            attempt=self.next_attempt(key),
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
        return self._preparer.secrecy.seal(f"sealed/made-{new_nonce()}", secret)


def collect_of(step: Step, launch: Launch) -> Collect | None:
    """What of an attempt is evidence: of a `run` or a plugin also what it leaves in `$DURUN_EVIDENCE`."""
    kind = step.call.action.kind if step.call is not None else ""
    if kind not in ("run", "uses", "collect") and not step.collects:
        return None
    source = "stdout"
    if kind == "http" and launch.stdin is not None:
        asked = json.loads(launch.stdin)
        source = f"{asked['method']} {str(asked['url']).partition('?')[0]}"
    return Collect(step.collects if kind != "collect" else "", source, list(launch.globs))


def _no_evidence(key: TaskKey) -> TaskFailed:
    reason = (
        "a secret that it gets is too short to be found in texts, so nothing that it writes can be kept as evidence "
        "(use a longer secret, or give it to another step)"
    )
    return TaskFailed(**key._asdict(), code=NO_EVIDENCE, reason=reason, retryable=False)


def waiting(key: TaskKey, pause: Pause, now: float) -> TaskWaiting:
    """A task begins to wait."""
    kind: WaitKind = "time" if pause.every is None else "poll"
    return TaskWaiting(**key._asdict(), kind=kind, until=pause.until(now), every=pause.every)


def failed(key: TaskKey, code: str, error: DurunError) -> TaskFailed:
    """A task fails before anything is started for it, for good."""
    reason = f"{error.message} ({error.hint})" if error.hint else error.message
    return TaskFailed(**key._asdict(), code=code, reason=reason, retryable=False)
