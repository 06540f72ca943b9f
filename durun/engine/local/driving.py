"""Driving a run from this process: a session with its supervisor, from the first turn to what is tidied at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from durun.config import Config
from durun.engine.api import Observer, Outcome
from durun.engine.beginning import Beginning
from durun.engine.local.discretion import DONE_WITH, close, destroy_seals, forget_files, mark, open_secrecy
from durun.engine.local.files import remove_folder
from durun.engine.local.folder import STOP, remove_unused
from durun.engine.local.hands import take as take_hands
from durun.engine.local.marks import mark_notice
from durun.engine.local.outgoing import stamp, tell_about
from durun.engine.local.recovery import refuse_older_journal
from durun.engine.local.runner import Runner
from durun.engine.local.session import Charge, Session
from durun.engine.local.signals import Signals
from durun.engine.local.system_log import announce
from durun.engine.notices import unsent_of
from durun.errors import StorageFailed
from durun.journal.api import Journal
from durun.model.clock import Clock
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import ENDED, FINAL

if TYPE_CHECKING:
    from durun.engine.local.secrecy import LocalSecrecy


@contextmanager
def _resumable(run_id: str) -> Iterator[None]:
    """A failure of the storage names the run, which nobody else may have named by then."""
    try:
        yield
    except StorageFailed as error:
        if run_id not in error.hint:
            error.hint = f"see to the disk, then: durun resume {run_id}"
        raise


class Driver:
    """Drives runs of one state directory. Whoever calls it holds the run's lock."""

    def __init__(self, config: Config, journal: Journal, clock: Clock) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock

    @contextmanager
    def secrecy(self, state: RunState, runbook: Runbook) -> Iterator[LocalSecrecy | None]:
        """What the run has that is secret, for as long as it is worked with. Raises StorageFailed."""
        secrecy = open_secrecy(self._config, state.record.id, state.created.place, runbook)
        try:
            yield secrecy
        finally:
            close(secrecy)

    def drive(self, charge: Charge, beginning: Beginning, observer: Observer) -> Outcome:
        """Drive a run until it ends, parks or is interrupted. Raises what `Runner.drive` raises, JournalDamaged."""
        folder = self._config.run_folder(charge.state.record.id)
        refuse_older_journal(folder, charge.state.record)
        with _resumable(charge.state.record.id):
            (folder / STOP).unlink(missing_ok=True)
            mark(charge.secrecy)
            session = self._session(charge, beginning, observer)
            with Signals() as signals:
                outcome = Runner(session, observer, signals).drive()
            return self._ended(outcome, session, observer)

    def settle_open(self, charge: Charge, beginning: Beginning, observer: Observer) -> Outcome | None:
        """Before a change: settle the attempts that are open, under the definition that they ran under.

        Once the change is recorded, nobody could tell any more what theirs was. Gives how the run ended, if it did
        with them, or the operator left.
        """
        session = self._session(charge, beginning, observer)
        with Signals() as signals:
            signals.drain("what ran is settled before the runbook is changed")
            outcome = Runner(session, observer, signals).drive()
            left = signals.wish == "leave"
        if left or outcome.status in FINAL:
            return self._ended(outcome, session, observer)
        if outcome.status == "interrupted":
            session.hands.close()
        return None

    def _session(self, charge: Charge, beginning: Beginning, observer: Observer) -> Session:
        session = Session(self._config, self._journal, self._clock, charge, observer, beginning, take_hands())
        observer.began(charge.state, charge.plan, charge.runbook)
        return session

    def _ended(self, outcome: Outcome, session: Session, observer: Observer) -> Outcome:
        secrecy, state = session.secrecy, session.ledger.state
        if outcome.status in ENDED:
            forget_files(secrecy, state, session.run_folder)
        if outcome.status in DONE_WITH:
            remove_folder(session.run_folder / "work")
            destroy_seals(self._journal, self._clock, secrecy, state)
        head = session.signing.head(outcome.run_id)
        outcome = outcome._replace(head="" if head is None else head.digest)
        if outcome.status != "interrupted":
            remove_unused(session.run_folder, state.record.folders)
            if head is not None and (problem := stamp(self._config, head)):
                observer.said(problem)
            announce(f"run {outcome.run_id} of {state.record.runbook} {outcome.status}: head {outcome.head}")
        self._tell(session)
        observer.ended(outcome)
        return outcome

    def _tell(self, session: Session) -> None:
        """Have told what this session has made due: also if another process has just told of the run, and knew not."""
        home, run_id = self._config.home, session.ledger.state.record.id
        if session.runbook.notify and any(not one.failures for one in unsent_of(self._journal, run_id)):
            mark_notice(home, run_id)
        tell_about(home, run_id, self._clock.now())
