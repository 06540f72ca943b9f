"""Asks the probes of `wait_for`, again and again, and says what came of it.

A journal must not grow by each question. Recorded are the first of each session, which reserves its folder for all that
follow; the first answer, and then those that come a minute after the last one recorded, or ten seconds after it and say
something else; and whatever ends the wait. The others are kept in mind. A crash loses no more than that: the task may
be asked up to a minute sooner.
"""

from __future__ import annotations

from typing import Final

from durun.actions.api import Process
from durun.engine.ledger import Ledger
from durun.engine.local.outbox import Flight, Outbox, new_nonce
from durun.engine.local.prepare import Launch, Preparer
from durun.engine.local.results import Results
from durun.engine.local.starting import failed
from durun.engine.polling import STDOUT_CAP, Said, time_for, what_is_said
from durun.errors import SecretUnavailable
from durun.language.expressions import ExpressionError
from durun.language.outputs import OutputError
from durun.model.event import ProbeAnswered, ProbeStarted, TaskFailed, TaskSucceeded
from durun.model.outcome import Exit
from durun.model.runbook import Poll
from durun.model.status import Answer
from durun.model.task import TaskKey, Waiting

RECORD_SAME: Final = 60.0
RECORD_OTHER: Final = 10.0
"""Seconds from one answer that is recorded to the next: to one that says the same, and to any other."""


class Poller:
    """The polls of one run, in one session."""

    def __init__(self, ledger: Ledger, preparer: Preparer, outbox: Outbox, results: Results) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._outbox = outbox
        self._results = results
        self._folders: dict[TaskKey, tuple[int, int]] = {}
        self._recorded: dict[TaskKey, tuple[float, str]] = {}

    # -- asking -----------------------------------------------------------------------------------------------

    def ask(self, key: TaskKey) -> None:
        """Ask once. Raises StorageFailed."""
        task = self._ledger.state.tasks[key]
        call = self._poll(key).call._replace(timeout=f"{time_for(task, self._ledger.now):.3f}s")
        try:
            work = self._preparer.work(key, call)
            assert isinstance(work, Process)
            launch = self._preparer.launch(key, call, work, self._waiting(key).times + 1, kind="poll")
        except ExpressionError as error:
            self._ledger.emit(failed(key, "expression", error))
            return
        except SecretUnavailable as error:
            self._not_yet(key, "unknown", f"can't be asked: {error.message}")
            return
        self._begin(key, launch)

    def _begin(self, key: TaskKey, launch: Launch) -> None:
        """In a folder of this session, if there is one already."""
        session, nonce = self._ledger.state.record.sessions, new_nonce()
        folder, known = self._folders.get(key, (0, 0))
        again = known == session
        if not again:
            folder = self._ledger.state.record.folders + 1
        started = ProbeStarted(**key._asdict(), purpose="poll", folder=folder, nonce=nonce, session=session)
        if again:
            self._ledger.keep_in_mind(started)
        else:
            self._ledger.emit(started)
        redact = self._preparer.step(key).redact
        self._outbox.start(Flight(key, folder, "poll"), nonce, launch, redact=redact, again=again)

    # -- answers ----------------------------------------------------------------------------------------------

    def land(self, flight: Flight, ended: Exit) -> None:
        """Emit what the end of a probe means. Raises StorageFailed."""
        key = flight.key
        self._folders[key] = flight.folder, self._ledger.state.record.sessions
        said = self._said(flight, ended)
        match said.answer:
            case "done":
                self._done(flight, ended, said)
            case "failed":
                self._ledger.emit(
                    TaskFailed(
                        **key._asdict(), code="wait_for", reason=said.reason, how="ran", exit_code=ended.exit_code,
                        retryable=False,
                    )
                )  # fmt: skip
            case answer:
                self._not_yet(key, answer, said.reason, ended.exit_code)

    def lost(self, key: TaskKey, reason: str) -> None:
        """A probe's process is gone without an answer."""
        self._not_yet(key, "unknown", reason)

    def _said(self, flight: Flight, ended: Exit) -> Said:
        try:
            given = self._results.given(flight.key, flight.folder, STDOUT_CAP)
        except SecretUnavailable as error:
            return Said("unknown", f"its answer can't be opened: {error.message}")
        return what_is_said(self._poll(flight.key), ended, given, self._preparer.scope(flight.key))

    def _done(self, flight: Flight, ended: Exit, said: Said) -> None:
        key = flight.key
        try:
            outputs = self._results.outputs(key, flight.folder)
        except OutputError as error:
            self._ledger.emit(failed(key, "outputs", error)._replace(how="ran", exit_code=ended.exit_code))
            return
        self._ledger.emit(
            TaskSucceeded(
                **key._asdict(), how="ran", outputs=outputs.plain, sealed=outputs.sealed, exit_code=ended.exit_code,
                reason=said.reason,
            )
        )  # fmt: skip

    def _not_yet(self, key: TaskKey, answer: Answer, reason: str, exit_code: int | None = None) -> None:
        asked, now = self._waiting(key).times + 1, self._ledger.now
        answered = ProbeAnswered(
            **key._asdict(), purpose="poll", answer=answer, reason=reason, exit_code=exit_code, times=asked
        )
        then, told = self._recorded.get(key, (0.0, ""))
        if now - then < (RECORD_SAME if told == reason else RECORD_OTHER):
            self._ledger.keep_in_mind(answered)
        else:
            self._recorded[key] = now, reason
            self._ledger.emit(answered)

    def record(self) -> None:
        """Record what was only kept in mind: the run is left."""
        for key in self._ledger.kept_in_mind():
            task = self._ledger.state.tasks[key]
            asked = self._waiting(key).times
            answered = ProbeAnswered(
                **key._asdict(),
                purpose="poll",
                answer="unknown",
                reason=task.reason,
                exit_code=task.exit_code,
                times=asked,
            )
            self._ledger.emit(answered)

    def _poll(self, key: TaskKey) -> Poll:
        poll = self._preparer.step(key).poll
        assert poll is not None
        return poll

    def _waiting(self, key: TaskKey) -> Waiting:
        waiting = self._ledger.state.tasks[key].waiting
        assert waiting is not None
        return waiting
