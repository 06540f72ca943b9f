"""The only hand that writes: one transaction under the write mutex, events and projections together."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from durun.errors import JournalDamaged
from durun.journal import lookup, place, register
from durun.journal.api import RunQuery, SequenceConflict
from durun.journal.chain import ORIGIN
from durun.journal.claim import WriteMutex
from durun.journal.codec import read_run, task_row
from durun.journal.connect import connect_writer, meaning
from durun.journal.folding import Known, fold, refuse_held, store_run
from durun.journal.queries import QUERIES, listing
from durun.journal.register import Signer
from durun.journal.registrar import Registrar
from durun.journal.reserve import reserve
from durun.model.clock import Clock
from durun.model.event import Event, RunEnded

CHECKPOINT_PAGES = 1000
"""About how many pages the write-ahead log may take before it is copied into the journal."""
_PAGE = 4096
_KEPT = 512
"""Tasks kept in memory from one append to the next, of each run."""


class _Handle:
    """The connection and its mutex, apart from the writer so that they can be closed when it is collected."""

    def __init__(self, path: Path, clock: Clock | None) -> None:
        self.path = path
        self.mutex = WriteMutex(path.with_suffix(".lock"), clock)
        self.connection: sqlite3.Connection | None = None
        self.pid = os.getpid()

    def close(self) -> None:
        """Close in the mutex: the last connection to close checkpoints, which no other may commit beside.

        A forked child owns nothing of it.
        """
        if os.getpid() != self.pid:
            return
        if self.connection is not None:
            with self.mutex:
                self.connection.close()
            self.connection = None
        self.mutex.close()


class Writer:
    """Appends to the journal at `path`. Raises Unsafe, JournalDamaged, StorageFailed."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        place.prepare(path)
        self._path = path
        self._log = f"{path}-wal"
        self._handle = _Handle(path, clock)
        self._known: dict[str, Known] = {}
        self._pages = 0
        self._registrar = Registrar()
        self._finalizer = weakref.finalize(self, self._handle.close)
        try:
            self.connection()
        except BaseException:
            self._finalizer()
            raise

    def close(self) -> None:
        """Close the connection and let go of the mutex."""
        self._finalizer()

    def connection(self) -> sqlite3.Connection:
        """The open connection; a new one after a failure. Only for reading outside `append`."""
        if self._handle.connection is None:
            with self._handle.mutex:
                return self._open()
        return self._handle.connection

    def append(
        self, run_id: str, expected: int, events: Sequence[Event], at: float, unless: RunQuery | None = None
    ) -> int:
        """See `Journal.append`."""
        if not events:
            raise ValueError("nothing to append")
        with self._transaction() as connection:
            reserve(self._log)
            known = self._append(connection, run_id, expected, events, at, unless)
            connection.execute(QUERIES["commit"])
            self._known[run_id] = known
            self._checkpoint(connection, any(isinstance(event, RunEnded) for event in events))
        return known.head

    def sign_with(self, signer: Signer) -> None:
        """See `Journal.sign_with`."""
        self._registrar.signer = signer

    def sign(self) -> None:
        """See `Journal.sign`."""
        if self._registrar.signer is not None:
            with self._transaction() as connection:
                self._registrar.sign(connection)
                connection.execute(QUERIES["commit"])

    @property
    def unsigned(self) -> bool:
        """See `Journal.unsigned`."""
        return self._registrar.unsigned

    def prune(self, run_id: str, at: float) -> None:
        """See `Journal.prune`."""
        self._known.pop(run_id, None)
        with self._transaction() as connection:
            self._registrar.prune(connection, run_id, at)
            connection.execute(QUERIES["commit"])
            self._checkpoint(connection, ended=True)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction under the write mutex: what is done with the connection commits it."""
        with self._handle.mutex:
            connection = self._handle.connection or self._open()
            try:
                connection.execute(QUERIES["begin"])
                yield connection
            except BaseException as error:
                self._give_up(connection, error)
                raise

    def _open(self) -> sqlite3.Connection:
        self._known.clear()
        self._pages = 0
        self._handle.connection = connect_writer(self._path)
        return self._handle.connection

    def _give_up(self, connection: sqlite3.Connection, error: BaseException) -> None:
        """Undo what was not committed. Where SQLite itself failed the outcome is unknown: let go of the connection."""
        if isinstance(error, sqlite3.Error):
            self._handle.connection = None
            connection.close()
            meant = meaning(error, self._path)
            if meant is not None:
                raise meant from error
        elif connection.in_transaction:
            connection.execute(QUERIES["rollback"])

    def _append(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        expected: int,
        events: Sequence[Event],
        at: float,
        unless: RunQuery | None,
    ) -> Known:
        known = self._load(connection, run_id)
        if known.head != expected:
            raise SequenceConflict(
                f"run {run_id} is at event {known.head}, not {expected}: another process appended first",
                "read what is new, and decide again",
            )
        if unless is not None:
            name, values = listing(unless)
            for row in connection.execute(QUERIES[name], values).fetchall():
                raise lookup.there_already(read_run(row).id)
        links, touched, new = fold(connection, known, run_id, events, at)
        refuse_held(connection, known.record, new)
        kind = register.kind_of(events)
        before = None if kind is None else self._registrar.newest(connection, at)
        number = store_run(connection, known, new)
        connection.executemany(QUERIES["insert_event"], [(number, *link) for link in links])
        rows = [(number, *task_row(key, state)) for key, state in touched.items()]
        connection.executemany(QUERIES["upsert_task"], rows)
        if before is not None and kind is not None:
            self._registrar.enter(connection, before, kind, run_id, links[-1])
        self._pages += 3 + len(rows) + sum(len(link.body) for link in links) // _PAGE
        tasks = known.tasks
        tasks.update(touched)
        while len(tasks) > _KEPT:
            del tasks[next(iter(tasks))]
        return Known(number, new, links[-1].sequence, links[-1].hash, tasks)

    def _load(self, connection: sqlite3.Connection, run_id: str) -> Known:
        """What is stored of the run now, from memory if nobody else has appended."""
        row = connection.execute(QUERIES["tail"], (run_id,)).fetchone()
        if row is None:
            return Known(0, None, 0, ORIGIN, {})
        number, head, last_hash = row
        known = self._known.get(run_id)
        if known is not None and known.head == head and known.hash == last_hash:
            return known
        record = read_run(connection.execute(QUERIES["record"], (run_id,)).fetchone())
        if record.sequence != head:
            raise JournalDamaged(
                f"the newest event of run {run_id} is {head}, but its state is of {record.sequence}",
                "`durun verify` says more; restore the journal from a copy",
            )
        return Known(number, record, head, last_hash, {})

    def _checkpoint(self, connection: sqlite3.Connection, ended: bool) -> None:
        """Copy the log into the journal when it has grown, and cut it at a run's end, waiting for no reader."""
        if not ended and self._pages < CHECKPOINT_PAGES:
            return
        self._pages = 0
        if ended:
            connection.execute(QUERIES["never_wait"]).fetchall()
            connection.execute(QUERIES["truncate"]).fetchall()
            connection.execute(QUERIES["wait"]).fetchall()
        else:
            connection.execute(QUERIES["checkpoint"]).fetchall()
