"""One process's turn at driving a run: the parts that it works with, and the events with which it begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durun.config import STOP_GRACE, Config, seconds_of
from durun.engine.api import Observer
from durun.engine.beginning import Beginning, Reason
from durun.engine.ledger import Ledger
from durun.engine.local.files import read_listed
from durun.engine.local.hands import Hands
from durun.engine.local.landing import Landing
from durun.engine.local.outbox import Outbox
from durun.engine.local.performer import Performer
from durun.engine.local.place import Whereabouts, here
from durun.engine.local.prepare import Preparer
from durun.engine.local.recovery import Recovery
from durun.engine.local.results import Results
from durun.engine.local.sharing import others_of
from durun.engine.local.signing import Signing
from durun.engine.secrecy import NO_SECRETS
from durun.engine.targets import Targets
from durun.errors import StorageFailed
from durun.journal.api import Journal
from durun.model.clock import Clock
from durun.model.event import SessionStarted
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState

if TYPE_CHECKING:
    from durun.engine.local.secrecy import LocalSecrecy


class Charge(NamedTuple):
    """A run that is to be driven: how it stands, and the runbook that it goes on under, with what is secret in it."""

    state: RunState
    plan: Plan
    runbook: Runbook
    secrecy: LocalSecrecy | None = None


class Session:
    """The parts of a driven run."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        clock: Clock,
        charge: Charge,
        observer: Observer,
        beginning: Beginning,
        hands: Hands,
    ) -> None:
        state, plan, runbook, secrecy = charge
        self.runbook = runbook
        self.run_folder: Path = config.run_folder(state.record.id)
        self.hands = hands
        self._beginning = beginning
        self.ledger = Ledger(journal, state, plan, clock, observer, secrecy or NO_SECRETS, reaping=self.reaping)
        self._here: Whereabouts = here(self.run_folder)
        self.secrecy = secrecy
        preparer = Preparer(state, plan, runbook, self.run_folder, clock, secrecy)
        self.targets = targets = Targets(self.ledger, preparer, self._read_listed)
        results, outbox = self._results(preparer), Outbox(seconds_of(STOP_GRACE, 5.0, least=0.05), self.run_folder)
        self.performer = Performer(self.ledger, preparer, runbook, targets, results, outbox)
        asker, poller = self.performer.asker, self.performer.poller
        self.landing = Landing(self.ledger, preparer, asker, poller, targets, results, self.run_folder)
        self.recovery = Recovery(self.ledger, self.landing, self.run_folder, self._here)
        self.signing = Signing(config, journal)
        self.others = others_of(config, state.record.id, journal, clock)
        self._make_work()

    def emit_start(self) -> None:
        """Record that this process drives the run from now on, and under which conditions."""
        ledger = self.ledger
        session = SessionStarted(
            session=ledger.state.record.sessions + 1,
            reason=self._beginning.reason,
            pid=os.getpid(),
            host=self._here.host,
            boot_id=self._here.boot_id,
            pid_namespace=self._here.pid_namespace,
            mount_id=self._here.mount_id,
            by=self._beginning.by,
        )
        ledger.emit_all(self._beginning.opening(session, ledger.state, ledger.plan, ledger.now))

    @property
    def park(self) -> bool:
        """Whether to leave the run rather than wait for a time."""
        return self._beginning.park

    @property
    def reaping(self) -> bool:
        """Whether only privileges are closed, and the run is left as it is."""
        return self._beginning.reason == "reap"

    def renew(self) -> None:
        """Go on with another supervisor, for the first one was killed."""
        self.hands = Hands.start()
        if self.secrecy is not None:
            self.secrecy.tell_again()
        reason: Reason = "reap" if self.reaping else "resume"
        self._beginning = Beginning(reason, self._beginning.by, park=self._beginning.park)

    def _results(self, preparer: Preparer) -> Results:
        if self.secrecy is None:
            return Results(preparer, self.run_folder)
        from durun.engine.local.sealed_results import SealedResults

        return SealedResults(preparer, self.secrecy, self.run_folder)

    def _read_listed(self, name: str, private: bool) -> bytes:
        return read_listed(name, self.ledger.state.created, self.run_folder, private)

    def _make_work(self) -> None:
        try:
            (self.run_folder / "work").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"{self.run_folder}: {error.strerror}", "make room, then try again") from error
