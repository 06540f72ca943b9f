"""What an earlier session, or a supervisor that was killed, has left open: found out, and put into events.

An attempt ends as adopted (its exit record is there), as never begun (proved), or in doubt. Nothing is started
again before its old process is known to be gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from durun.engine.ledger import Ledger
from durun.engine.local.examine import Alive, NeverBegan, Orphaned, Recorded, Unknown, examine, supervisor_pid
from durun.engine.local.landing import Landing
from durun.engine.local.names import attempts_made
from durun.engine.local.outbox import Flight
from durun.engine.local.place import Whereabouts
from durun.engine.local.procs import exists
from durun.engine.local.secret_files import remove_secret_files
from durun.errors import StorageFailed
from durun.journal.reading import refuse_older
from durun.model.event import SessionStarted
from durun.model.task import Attempt, Probe, RunRecord, TaskKey


class Recovery:
    """Settles open attempts of one run."""

    def __init__(self, ledger: Ledger, landing: Landing, run_folder: Path, here: Whereabouts) -> None:
        self._ledger = ledger
        self._landing = landing
        self._run_folder = run_folder
        self._here = here

    def take_over(self) -> list[Flight]:
        """Settle all that is open, but for what an earlier supervisor still has in hand: these flights are returned.

        A question that an earlier session asked is simply asked anew: it is read-only, and `decide` knows.
        """
        for key, task in list(self._ledger.state.tasks.items()):
            if task.probe is not None:
                self._forget_question(task.probe)
            if task.status == "in_doubt" and not task.gone:
                self._look_again(key)
            if task.status == "pending" and task.attempt is not None:
                # Its process may have outlived its supervisor, and be gone since an operator settled it.
                remove_secret_files(task.attempt.nonce)
                self._landing.forget(task.attempt)
        open_flights = [
            Flight(key, task.attempt.folder, "attempt", adopted=True)
            for key, task in list(self._ledger.state.tasks.items())
            if task.status == "running" and task.attempt is not None
        ]
        return self.settle(open_flights)

    def _forget_question(self, probe: Probe) -> None:
        """Remove what it was given, should its supervisor not live to do so."""
        with suppress(OSError):
            if supervisor_pid(self._run_folder, probe.session) is None:
                remove_secret_files(probe.nonce)

    def settle(self, flights: Iterable[Flight]) -> list[Flight]:
        """Settle the attempts that are over; returns those that are not."""
        return [flight for flight in flights if not self._settled(flight)]

    def _settled(self, flight: Flight) -> bool:
        attempt = self._attempt(flight.key)
        found = self._examine(attempt)
        if not isinstance(found, Alive | Orphaned):
            # Its supervisor does so itself, if it lives to.
            remove_secret_files(attempt.nonce)
        match found:
            case Alive():
                return False
            case Recorded(record):
                self._landing.land(flight, record)
            case NeverBegan(reason):
                self._landing.never_began(flight.key, reason)
            case Orphaned(pids, main, reason):
                # What a step has left behind when it ended (a daemon) tells nothing about the step.
                pid = pids[0] if main else None
                self._landing.in_doubt(flight.key, f"{reason} (process {pids[0]})", gone=not main, pid=pid)
            case Unknown(reason, gone):
                self._landing.in_doubt(flight.key, reason, gone=gone)
        return True

    def _look_again(self, key: TaskKey) -> None:
        """Something lived on when we last looked: is it gone now, so that somebody may be asked?"""
        found = self._examine(self._attempt(key))
        lives = isinstance(found, Orphaned) and found.main
        if isinstance(found, Recorded):
            lives = any(exists(pid) for pid in found.record.leftover)
        if lives or isinstance(found, Alive) or (isinstance(found, Unknown) and not found.gone):
            return
        cause = f"{found.reason}; " if isinstance(found, Unknown | Orphaned) else ""
        self._landing.in_doubt(key, f"{cause}its process has ended, and left no record of how")

    def _attempt(self, key: TaskKey) -> Attempt:
        attempt = self._ledger.state.tasks[key].attempt
        assert attempt is not None
        return attempt

    def _examine(self, attempt: Attempt) -> Alive | Recorded | NeverBegan | Orphaned | Unknown:
        then = place_of(self._ledger.state.sessions[attempt.session])
        return examine(self._run_folder, attempt.folder, attempt.nonce, attempt.session, then, self._here)


def refuse_older_journal(run_folder: Path, record: RunRecord) -> None:
    """Raise JournalDamaged if the run's folder has attempts that the journal does not know, StorageFailed."""
    try:
        made = attempts_made(run_folder, record.folders)
    except OSError as error:
        raise StorageFailed(f"{run_folder}: {error.strerror}", "see to the disk, then resume") from error
    refuse_older(record, made)


def place_of(session: SessionStarted) -> Whereabouts:
    """Where a session of the run worked."""
    return Whereabouts(session.boot_id, session.pid_namespace, session.mount_id, session.host)
