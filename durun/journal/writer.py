"""The only hand that writes: one transaction under the write mutex, events and projections together."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from durun.errors import JournalDamaged
from durun.journal import lookup, place
from durun.journal.api import RunQuery, SequenceConflict
from durun.journal.chain import ORIGIN, Link, seal
from durun.journal.claim import WriteMutex
from durun.journal.codec import read_run, read_tasks, run_changes, run_row, task_row
from durun.journal.connect import connect_writer, meaning
from durun.journal.queries import QUERIES, listing
from durun.model.apply import apply, task_of
from durun.model.clock import Clock
from durun.model.event import Event, RunEnded
from durun.model.task import RunRecord, TaskKey, TaskState

CHECKPOINT_PAGES = 1000
"""About how many pages the write-ahead log may take before it is copied into the journal."""
_PAGE = 4096
_KEPT = 512
"""Tasks kept in memory from one append to the next, of each run."""


class _Known(NamedTuple):
    """A run as this process last wrote it: good as long as nobody else has appended to it."""

    number: int
    record: RunRecord | None
    head: int
    hash: bytes
    tasks: dict[TaskKey, TaskState]


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
        self._handle = _Handle(path, clock)
        self._known: dict[str, _Known] = {}
        self._pages = 0
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
        with self._handle.mutex:
            connection = self._handle.connection or self._open()
            try:
                known = self._transact(connection, run_id, expected, events, at, unless)
                self._known[run_id] = known
                self._checkpoint(connection, any(isinstance(event, RunEnded) for event in events))
            except BaseException as error:
                self._give_up(connection, error)
                raise
            return known.head

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

    def _transact(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        expected: int,
        events: Sequence[Event],
        at: float,
        unless: RunQuery | None,
    ) -> _Known:
        connection.execute(QUERIES["begin"])
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
        links, touched, new = _fold(connection, known, run_id, events, at)
        _refuse_held(connection, known.record, new)
        number = _store_run(connection, known, new)
        connection.executemany(QUERIES["insert_event"], [(number, *link) for link in links])
        rows = [(number, *task_row(key, state)) for key, state in touched.items()]
        connection.executemany(QUERIES["upsert_task"], rows)
        connection.execute(QUERIES["commit"])
        self._pages += 3 + len(rows) + sum(len(link.body) for link in links) // _PAGE
        tasks = known.tasks
        tasks.update(touched)
        while len(tasks) > _KEPT:
            del tasks[next(iter(tasks))]
        return _Known(number, new, links[-1].sequence, links[-1].hash, tasks)

    def _load(self, connection: sqlite3.Connection, run_id: str) -> _Known:
        """What is stored of the run now, from memory if nobody else has appended."""
        row = connection.execute(QUERIES["tail"], (run_id,)).fetchone()
        if row is None:
            return _Known(0, None, 0, ORIGIN, {})
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
        return _Known(number, record, head, last_hash, {})

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


def _fold(
    connection: sqlite3.Connection, known: _Known, run_id: str, events: Sequence[Event], at: float
) -> tuple[list[Link], dict[TaskKey, TaskState], RunRecord]:
    """The links of the events, the tasks that they touch, and the run after them."""
    record, sequence, last_hash = known.record, known.head, known.hash
    links: list[Link] = []
    touched: dict[TaskKey, TaskState] = {}
    for event in events:
        sequence += 1
        link = seal(run_id, last_hash, sequence, at, event)
        key = task_of(event)
        before = None
        if key is not None:
            before = touched.get(key) or known.tasks.get(key) or _stored_task(connection, known.number, key)
        record, after = apply(record, before, event, at, sequence, run_id)
        if key is not None and after is not None:
            touched[key] = after
        links.append(link)
        last_hash = link.hash
    if record is None:
        raise ValueError("no event, no run")
    return links, touched, record


def _stored_task(connection: sqlite3.Connection, number: int, key: TaskKey) -> TaskState | None:
    values = (number, key.step, key.target or "", key.round)
    return read_tasks(connection.execute(QUERIES["task"], values).fetchall()).get(key)


def _refuse_held(connection: sqlite3.Connection, before: RunRecord | None, new: RunRecord) -> None:
    """Raise GroupHeld if the run would take a concurrency group that another one has."""
    if not new.holds_group or (before is not None and before.holds_group):
        return
    for row in connection.execute(QUERIES["group_holder"], (new.concurrency_group,)).fetchall():
        holder = read_run(row)
        raise lookup.group_held(holder, holder.status)


def _store_run(connection: sqlite3.Connection, known: _Known, new: RunRecord) -> int:
    """Write the run's row, and return its number. An index is touched only where its column changes."""
    if known.record is not None:
        connection.execute(QUERIES["update_run"], (*run_changes(new), known.number))
        if new.status != known.record.status:
            connection.execute(QUERIES["update_run_status"], (new.status, known.number))
        if new.holds_group != known.record.holds_group:
            connection.execute(QUERIES["update_run_group"], (int(new.holds_group), known.number))
        return known.number
    try:
        return int(connection.execute(QUERIES["insert_run"], run_row(new)).lastrowid or 0)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise
        raise SequenceConflict(
            f"another run of {new.runbook} was started with the request id {new.request_id}", "look at that run"
        ) from error
