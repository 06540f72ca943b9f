"""The journal in one SQLite file. `open_journal` is the only door to it."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from durun.errors import StorageFailed
from durun.journal import lookup
from durun.journal.api import RunQuery
from durun.journal.chain import Link, canonical, unseal, unseal_proved
from durun.journal.codec import read_run, read_tasks
from durun.journal.connect import Unfinished, connect_reader, meaning
from durun.journal.inspection import check_run, check_structure, check_tables, damaged
from durun.journal.queries import QUERIES, listing
from durun.journal.register import Entry, Signer
from durun.journal.writer import Writer
from durun.model.clock import Clock
from durun.model.event import Event, Stamped
from durun.model.status import NOTABLE
from durun.model.task import RunRecord, TaskKey, TaskState

_MANY = ("task_", "probe_")


def open_journal(path: Path, *, read_only: bool = False, clock: Clock | None = None) -> SqliteJournal:
    """Open the journal at `path`; to write, make it if it is not there (0600, its folder 0700).

    Read-only, nothing is made, and a journal that is not there has no runs. Raises Unsafe (others may read it,
    it is of a newer durun, or on a network file system), JournalDamaged, StorageFailed.
    """
    return SqliteJournal(path, None if read_only else Writer(path, clock))


class SqliteJournal:
    """See `durun.journal.api.Journal`. For one thread. A context manager that closes itself.

    With a writer, reads go over its connection; without, each opens its own and closes it.
    """

    def __init__(self, path: Path, writer: Writer | None) -> None:
        self._path = path
        self._writer = writer
        self._heads: dict[str, int] = {}
        self._version = -1
        self._moment: sqlite3.Connection | None = None

    def __enter__(self) -> SqliteJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(
        self, run_id: str, expected: int, events: Sequence[Event], at: float, unless: RunQuery | None = None
    ) -> int:
        """See `Journal.append`."""
        self._heads.pop(run_id, None)
        self._heads[run_id] = last = self._writing().append(run_id, expected, events, at, unless)
        return last

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """See `Journal.one_moment`. By a connection of its own, not to be in the writer's way."""
        with self._translated():
            self._moment = self._reader()
            if self._moment is not None:
                self._moment.execute(QUERIES["begin_read"])
        try:
            yield
        finally:
            moment, self._moment = self._moment, None
            if moment is not None:
                moment.close()

    def head(self, run_id: str) -> int:
        """See `Journal.head`. Asked again and again it costs microseconds: only others' commits make it look."""
        if self._writer is not None and self._moment is None:
            self._forget_old()
            known = self._heads.get(run_id)
            if known is not None:
                return known
        row = self._one("head", (run_id,))
        if row is None:
            raise lookup.unknown(run_id)
        if self._moment is None:
            self._heads[run_id] = row[0]
        return int(row[0])

    def record(self, run_id: str) -> RunRecord:
        """See `Journal.record`."""
        row = self._one("record", (run_id,))
        if row is None:
            raise lookup.unknown(run_id)
        return read_run(row)

    def tasks(self, run_id: str) -> dict[TaskKey, TaskState]:
        """See `Journal.tasks`."""
        with _no_collection():
            rows = self._all("tasks", (run_id,))
            if not rows:
                self.head(run_id)
            return read_tasks(rows)

    def events(self, run_id: str, after: int = 0, types: Collection[str] | None = None) -> list[Stamped]:
        """See `Journal.events`. For types that are not of tasks or probes it costs what it finds, and each is proved:
        a run goes on by what they say (its runbook, its targets).
        """
        values: dict[str, object] = {"id": run_id, "after": after}
        if types is None:
            name = "events"
        else:
            values["types"] = canonical(sorted(types))
            name = "events_of_types" if any(kind.startswith(_MANY) for kind in types) else "landmarks"
        rows = self._all(name, values)
        if not rows:
            self.head(run_id)
        if name == "landmarks":
            return [unseal_proved(run_id, Link(*row), before) for *row, before in rows]
        return unseal(Link(*row) for row in rows)

    def runs(self, query: RunQuery) -> list[RunRecord]:
        """See `Journal.runs`."""
        return [read_run(row) for row in self._all(*listing(query))]

    def notable(self, run_ids: Collection[str]) -> dict[str, list[tuple[TaskKey, TaskState]]]:
        """See `Journal.notable`."""
        found: dict[str, list[tuple[TaskKey, TaskState]]] = {}
        values = {"runs": canonical(list(run_ids)), "statuses": canonical(sorted(NOTABLE))}
        for run_id, _, *row in self._all("notable", values):
            found.setdefault(run_id, []).extend(read_tasks([tuple(row)]).items())
        return found

    def group_holder(self, group: str) -> RunRecord | None:
        """See `Journal.group_holder`."""
        row = self._one("group_holder", (group,))
        return None if row is None else read_run(row)

    def find(self, reference: str, uid: int | None = None) -> str:
        """See `Journal.find`."""
        if reference == lookup.LAST:
            newest = self._all("newest_run_ids", {"uid": uid, "limit": 1})
            if not newest:
                raise lookup.none_yet()
            return str(newest[0][0])
        if not reference:  # an unset variable of a shell must not mean the only run there is
            raise lookup.unknown(reference)
        rows = self._all("run_ids_from", {"prefix": reference, "limit": lookup.SHOWN + 1})
        ids = [str(row[0]) for row in rows]
        if reference in ids or len(ids) == 1:
            return ids[0]
        if ids:
            raise lookup.ambiguous(reference, ids)
        some = self._all("newest_run_ids", {"uid": None, "limit": lookup.NEAR_AMONG})
        raise lookup.near(reference, [str(row[0]) for row in some])

    def check(self, run_id: str, structure: bool = True) -> None:
        """See `Journal.check`."""
        with self._translated():
            connection = self._reader()
            if connection is None:
                raise lookup.unknown(run_id)
            try:
                connection.execute(QUERIES["begin_read"])
                if structure:
                    check_structure(connection, self._path)
                check_run(connection, run_id)
            finally:
                connection.close()

    def examine(self) -> None:
        """See `Journal.examine`."""
        with self._translated():
            connection = self._reader()
            if connection is None:
                return
            try:
                connection.execute(QUERIES["begin_read"])
                check_structure(connection, self._path)
                check_tables(connection, self._path)
            finally:
                connection.close()

    def links(self, run_id: str) -> list[Link]:
        """See `Journal.links`."""
        rows = self._all("events", {"id": run_id, "after": 0})
        if not rows:
            self.head(run_id)
        return [Link(*row) for row in rows]

    def entries(self, run_id: str | None = None, after: int = 0) -> list[Entry]:
        """See `Journal.entries`."""
        name = "entries" if run_id is None else "entries_of_run"
        values = {"after": after} if run_id is None else {"run": run_id, "after": after}
        return [Entry(*row) for row in self._all(name, values)]

    def sign_with(self, signer: Signer) -> None:
        """See `Journal.sign_with`."""
        self._writing().sign_with(signer)

    def sign(self) -> None:
        """See `Journal.sign`."""
        self._writing().sign()

    @property
    def unsigned(self) -> bool:
        """See `Journal.unsigned`."""
        return self._writer is not None and self._writer.unsigned

    def prune(self, run_id: str, at: float) -> None:
        """See `Journal.prune`."""
        self._heads.pop(run_id, None)
        self._writing().prune(run_id, at)

    def close(self) -> None:
        """See `Journal.close`. Raises StorageFailed if another process holds the write mutex for too long."""
        if self._writer is not None:
            self._writer.close()

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StorageFailed("the journal was opened to be read only", "nothing was written")
        return self._writer

    def _forget_old(self) -> None:
        version = self._one("data_version", ())[0]
        if version != self._version:
            self._version = version
            self._heads.clear()

    def _one(self, name: str, values: Any) -> Any:
        rows = self._all(name, values)
        return rows[0] if rows else None

    def _all(self, name: str, values: Any) -> list[Any]:
        """Every row of a named query, fetched: no statement stays open to hold the file."""
        with self._translated():
            if self._moment is not None:
                return self._moment.execute(QUERIES[name], values).fetchall()
            if self._writer is not None:
                return self._writer.connection().execute(QUERIES[name], values).fetchall()
            connection = self._reader()
            if connection is None:
                return []
            try:
                return connection.execute(QUERIES[name], values).fetchall()
            finally:
                connection.close()

    def _reader(self) -> sqlite3.Connection | None:
        try:
            return connect_reader(self._path)
        except Unfinished:
            Writer(self._path).close()
            return connect_reader(self._path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (UnicodeDecodeError, OverflowError) as error:  # only what is damaged has such names and numbers
            raise damaged(self._path, str(error)) from error
        except sqlite3.Error as error:
            meant = meaning(error, self._path)
            if meant is None:
                raise
            raise meant from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hundreds of thousands of new objects, none of them garbage: looking through them again and again costs half."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
