"""From how a process ended to the events of its task: the same for one that just ended and one that is adopted."""

from __future__ import annotations

from pathlib import Path

from durun.engine.ledger import Ledger
from durun.engine.local.asking import Asker
from durun.engine.local.folder import read_gate
from durun.engine.local.names import attempt_folder
from durun.engine.local.outbox import Flight
from durun.engine.local.polling import Poller
from durun.engine.local.prepare import Preparer
from durun.engine.local.records import ExitRecord
from durun.engine.local.results import Outputs, Results
from durun.engine.targets import Targets
from durun.errors import DurunError, SecretUnavailable, StorageFailed
from durun.language.expressions import ExpressionError
from durun.language.outputs import OutputError
from durun.language.targets import MOST_BYTES
from durun.model.event import ProbeAnswered, TaskFailed, TaskInDoubt, TaskNeverBegan, TaskSucceeded
from durun.model.outcome import NO_EVIDENCE, NOT_STARTED, Exit, ExitCodes, answer_of, final_codes, judge
from durun.model.plan import FREE_REPEATS
from durun.model.runbook import Verify
from durun.model.status import Answer, How
from durun.model.task import Attempt, TaskKey


class Landing:
    """Emits the events that the end of a process means, for one run."""

    def __init__(
        self,
        ledger: Ledger,
        preparer: Preparer,
        asker: Asker,
        poller: Poller,
        targets: Targets,
        results: Results,
        run_folder: Path,
    ) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._asker = asker
        self._poller = poller
        self._targets = targets
        self._run_folder = run_folder
        self._results = results

    def land(self, flight: Flight, record: ExitRecord) -> None:
        """Emit what this end means; nothing, if an operator's word was faster. Raises StorageFailed."""
        if not self._awaited(flight):
            return
        ended = self._exit(flight.folder, record)
        if flight.kind == "attempt":
            self._attempt(flight, ended)
        elif flight.kind == "targets":
            self._listed(flight, ended)
        elif flight.kind == "poll":
            self._poller.land(flight, self._with_reason(flight, ended))
        else:
            self._answered(flight, ended)

    def _awaited(self, flight: Flight) -> bool:
        task = self._ledger.state.tasks.get(flight.key)
        if task is None:
            return False
        if flight.kind == "attempt":
            return task.status == "running" and task.attempt is not None and task.attempt.folder == flight.folder
        return task.probe is not None and task.probe.folder == flight.folder

    # -- attempts ---------------------------------------------------------------------------------------------

    def _attempt(self, flight: Flight, ended: Exit) -> None:
        key, step = flight.key, self._preparer.step(flight.key)
        how: How = "adopted" if flight.adopted else "ran"
        codes = ExitCodes(step.ok_exit_codes, step.ambiguous_exit_codes, final_codes(step))
        ended = self._with_reason(flight, ended, codes.ok)
        event = judge(key, self._ledger.plan.node(key.step), codes, ended, how)
        if event is not None:
            reason = f"{event.reason}; {ended.lost}" if ended.lost else event.reason
            self._ledger.emit(event._replace(log=self._results.log(key, flight.folder, event.log), reason=reason))
        elif ended.lost:
            self._fail(flight, ended, how, NO_EVIDENCE, ended.lost)
        elif step.verify is not None and step.verify.after:
            self._check_after(key, step.verify, ended, how)
        else:
            self._succeeded(flight, ended, how)

    def _with_reason(self, flight: Flight, ended: Exit, ok: tuple[int, ...] = ()) -> Exit:
        """With what the process said of its end, unless that is good (one of `ok`)."""
        if ended.cause != "exit" or ended.exit_code is None or ended.exit_code in ok:
            return ended
        return ended._replace(said=self._results.said(flight.folder))

    def _succeeded(self, flight: Flight, ended: Exit, how: How) -> None:
        key = flight.key
        try:
            outputs = self._results.outputs(key, flight.folder)
        except OutputError as error:
            self._fail(flight, ended, how, "outputs", error.message)
            return
        succeeded = TaskSucceeded(
            **key._asdict(),
            how=how,
            outputs=outputs.plain,
            sealed=outputs.sealed,
            exit_code=ended.exit_code,
            log={**(ended.log or {}), **outputs.log} if outputs.log else ended.log,
            evidence=ended.evidence,
        )
        self._ledger.emit(succeeded)

    def _fail(self, flight: Flight, ended: Exit, how: How, code: str, reason: str) -> None:
        """The process ended well, but did not give what it should have given."""
        failed = TaskFailed(
            **flight.key._asdict(),
            code=code,
            reason=reason,
            how=how,
            exit_code=ended.exit_code,
            retryable=False,
            log=self._results.log(flight.key, flight.folder, ended.log),
            evidence=ended.evidence,
        )
        self._ledger.emit(failed)

    def _check_after(self, key: TaskKey, verify: Verify, ended: Exit, how: How) -> None:
        try:
            self._asker.probe(key, "after", verify.call)
        except (ExpressionError, SecretUnavailable) as error:
            reason = f"verify can't be asked: {error.message}"
            self._ledger.emit(
                TaskInDoubt(
                    **key._asdict(),
                    reason=reason,
                    how=how,
                    exit_code=ended.exit_code,
                    log=ended.log,
                    evidence=ended.evidence,
                )
            )

    def never_began(self, key: TaskKey, reason: str) -> None:
        """It is proved that the newest attempt was not started: it is free, a few times."""
        task = self._ledger.state.tasks[key]
        if task.fences < FREE_REPEATS:
            never = TaskNeverBegan(**key._asdict(), attempt=len(task.attempts), reason=reason)
            self._ledger.emit(never)
            return
        reason = f"never began {FREE_REPEATS + 1} times: {reason}"
        self._ledger.emit(TaskFailed(**key._asdict(), code=NOT_STARTED, reason=reason, retryable=False))

    def in_doubt(self, key: TaskKey, reason: str, *, gone: bool = True, pid: int | None = None) -> None:
        """Nobody can tell what became of the newest attempt."""
        attempt = self._ledger.state.tasks[key].attempt
        if attempt is not None and (left := self._results.left(attempt.folder, gone=gone)):
            reason = f"{reason}; {left}"
        self._ledger.emit(TaskInDoubt(**key._asdict(), reason=reason, gone=gone, pid=pid))

    def forget(self, attempt: Attempt) -> None:
        """What an attempt has left does not stay in clear, if there may be secrets in it: its process is gone."""
        self._results.left(attempt.folder, gone=True)

    # -- probes -----------------------------------------------------------------------------------------------

    def _answered(self, flight: Flight, ended: Exit) -> None:
        key, verify = flight.key, self._preparer.step(flight.key).verify
        assert verify is not None and flight.kind in ("in_doubt", "before", "after")
        ended = self._with_reason(flight, ended)
        answer, reason = answer_of(ended, verify.done_on, verify.not_done_on)
        outputs = Outputs()
        if answer == "done" and flight.kind != "after":
            try:
                outputs = self._results.outputs(key, flight.folder)
            except OutputError as error:
                answer, reason = "unknown", f"verify says done, but: {error.message}"
        answered = ProbeAnswered(
            **key._asdict(), purpose=flight.kind, answer=answer, reason=reason, exit_code=ended.exit_code
        )
        self._ledger.emit(answered)
        if flight.kind == "after":
            self._after(key, answer, reason)
        elif answer == "done":
            how: How = "found" if flight.kind == "before" else "verified"
            done = TaskSucceeded(**key._asdict(), how=how, outputs=outputs.plain, sealed=outputs.sealed, reason=reason)
            self._ledger.emit(done)

    def _after(self, key: TaskKey, answer: Answer, reason: str) -> None:
        """The step said that it is done; its verify has the last word."""
        attempt = self._ledger.state.tasks[key].attempt
        assert attempt is not None
        match answer:
            case "done":
                records = read_gate(attempt_folder(self._run_folder, attempt.folder))
                ended = self._exit(attempt.folder, records.exit) if records and records.exit else Exit("exit")
                how: How = "ran" if attempt.session == self._ledger.state.record.sessions else "adopted"
                self._succeeded(Flight(key, attempt.folder, "attempt"), ended, how)
            case "not_done":
                failed = TaskFailed(
                    **key._asdict(), code="verify", reason=f"verify says that it is not done: {reason}", how="ran"
                )
                self._ledger.emit(failed)
            case _:
                self.in_doubt(key, f"the step ended well, but verify can't tell: {reason}")

    def probe_lost(self, flight: Flight, reason: str) -> None:
        """A probe's process is gone without an answer: it is read-only, and is asked anew where it matters."""
        assert flight.kind != "attempt"
        if flight.kind == "poll":
            self._poller.lost(flight.key, reason)
            return
        if flight.kind == "targets":
            failed = TaskFailed(**flight.key._asdict(), code="targets", reason=reason)
            self._ledger.emit(failed)
            return
        lost = ProbeAnswered(**flight.key._asdict(), purpose=flight.kind, answer="unknown", reason=reason)
        self._ledger.emit(lost)
        if flight.kind == "after":
            self._after(flight.key, "unknown", reason)

    def _listed(self, flight: Flight, ended: Exit) -> None:
        answer, reason = answer_of(ended, (0,), ())
        try:
            if answer != "done":
                raise OutputError(f"the targets can't be listed: {reason.partition(' is neither')[0]}")
            self._targets.from_stdout(flight.key, self._results.stdout(flight.key, flight.folder, MOST_BYTES))
        except (SecretUnavailable, StorageFailed):
            raise
        except DurunError as error:
            failed = TaskFailed(**flight.key._asdict(), code="targets", reason=error.message, exit_code=ended.exit_code)
            self._ledger.emit(failed)

    def _exit(self, folder: int, record: ExitRecord) -> Exit:
        ended = _exit(record)
        if not record.evidence and not record.lost:
            return ended
        evidence, lost = self._results.evidence(folder, record)
        return ended._replace(evidence=evidence, lost=lost)


def _exit(record: ExitRecord) -> Exit:
    return Exit(
        cause=record.reason,
        exit_code=record.exit_code,
        signal=record.signal,
        error=record.error,
        leftover=record.leftover,
        log=record.log or None,
    )
