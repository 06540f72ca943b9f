"""Connections to the journal's file: the settings that its promises rest on, and what SQLite's errors mean.

Nothing else in durun connects, for one connection with other settings could lose an acknowledged commit.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from durun.errors import DurunError, JournalDamaged, StorageFailed, Unsafe, typed
from durun.journal import place
from durun.journal.queries import QUERIES, migrations

VERSION = 7
"""The version of the journal that this durun writes: the number of the newest migration.

It is raised, too, when an event or a state gets another field: an older durun must refuse what it can't read.
"""

BUSY_MS = 10_000
_LATER = "see to the disk, then try again; `durun resume` goes on with a run"
_RESTORE = "the file is left untouched: restore it from a copy"
_COMMON = {
    "busy_timeout": BUSY_MS,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}
_WRITER = _COMMON | {"fullfsync": 1, "checkpoint_fullfsync": 1, "wal_autocheckpoint": 0}
_FULL, _EXTRA = 2, 3
_GONE = ("no such table", "no such column")
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNFINISHED = {sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY}
_REFUSED = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_READONLY: "the journal can't be written",
    sqlite3.SQLITE_CANTOPEN: "the journal can't be opened",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_BUSY: "another program holds the journal",
    sqlite3.SQLITE_LOCKED: "another program holds the journal",
    sqlite3.SQLITE_PROTOCOL: "another program holds the journal",
    sqlite3.SQLITE_PERM: "the journal can't be opened",
}


class Unfinished(StorageFailed):
    """Only a writer can make the journal readable: it undoes a commit that was cut short, or brings an older schema
    up to the newest. Open one and close it.
    """


def meaning(error: sqlite3.Error, path: Path) -> DurunError | None:
    """The error that a user sees for SQLite's (https://www.sqlite.org/rescode.html); None: it is a bug here."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # text that is no UTF-8: only a damaged row holds such
        if not isinstance(error, sqlite3.OperationalError):
            return None
        return JournalDamaged(f"the journal {path} is damaged: text that can't be read", _RESTORE)
    if code in _UNFINISHED:
        return Unfinished(f"a commit was cut short in {path} ({error})", _LATER)
    if code & 0xFF in _DAMAGED:
        return JournalDamaged(f"the journal {path} is damaged: {error}", _RESTORE)
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN and (unsafe := place.unwritable(path.parent)) is not None:
        return unsafe  # readers, too, write: what they share with the writer lies beside the journal
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(_GONE):
        return JournalDamaged(f"the journal {path} has not the tables of its version: {error}", _RESTORE)
    why = _REFUSED.get(code & 0xFF)
    return None if why is None else StorageFailed(f"{why}: {path} ({error})", _LATER)


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write, to a journal of the newest schema, made or migrated if need be.

    Call it, and close what it returns, with the write mutex held. Raises Unsafe, JournalDamaged, StorageFailed.
    """
    with suppress(Unfinished):  # a look first, that changes nothing: a newer or damaged journal stays untouched
        look = connect_reader(path)
        if look is not None:
            look.close()
    place.create(path)
    connection = _connect(path, "rw")
    try:
        if _version(connection) > VERSION:
            raise _newer(path, _version(connection))
        settle(connection)
        _migrate(connection)
    except BaseException as error:
        connection.close()
        raise _translated(error, path) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection | None:
    """A connection that can't write, for one look; None if there is no journal yet.

    Raises Unsafe for a journal of a newer durun or one that others may read, JournalDamaged (also for one that is gone
    or empty while its runs' folders are there), StorageFailed.
    """
    place.require_private(path)
    if not _filled(path):
        place.require_folder(path.parent)
        if place.has_runs(path.parent) and not _filled(path):  # runs come after the journal: it was not just being made
            raise _lost(path)
        return None
    if not os.access(path, os.R_OK):
        raise Unsafe(f"can't read {path}", f"chmod u+rw {typed(path)}")
    connection = _connect(path, "ro")
    try:
        _apply(connection, _COMMON | {"query_only": 1})
        version = _version(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            place.require_safe(path)  # in a folder that can't be written, SQLite can't make what every reader needs
        raise _translated(error, path) from error
    if version == 0:
        lost = place.has_runs(path.parent) and _version(connection) == 0
        connection.close()
        if lost:
            raise _lost(path)
        return None
    if version != VERSION:
        connection.close()
        raise _newer(path, version) if version > VERSION else Unfinished(f"{path} is of an older durun", _LATER)
    return connection


def settle(connection: sqlite3.Connection) -> None:
    """Make every commit durable before it is acknowledged: WAL and FULL, or TRUNCATE and EXTRA where WAL can't be had.

    Raises StorageFailed if SQLite takes a setting differently.
    """
    _apply(connection, _WRITER)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        mode = connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()[0]
    if mode not in ("wal", "truncate"):
        raise StorageFailed(f"SQLite keeps the journal in mode {mode}, in which a commit may be lost", _LATER)
    _apply(connection, {"synchronous": _FULL if mode == "wal" else _EXTRA})


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    place.require_room(path)
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_MS / 1000
        )
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _apply(connection: sqlite3.Connection, settings: dict[str, int]) -> None:
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
        found = connection.execute(f"PRAGMA {name}").fetchone()
        if found is not None and found[0] != value:
            raise StorageFailed(f"SQLite does not take {name} = {value} (it says {found[0]})", _LATER)


def _filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _lost(path: Path) -> JournalDamaged:
    """What it knew to be done would be done again."""
    return JournalDamaged(
        f"the journal {path} is {'empty' if path.exists() else 'gone'}, and {path.parent}/runs has runs of it",
        f"restore it from a copy; or to begin anew: mv {typed(path.parent)} {typed(f'{path.parent}.lost')}",
    )


def _newer(path: Path, version: int) -> Unsafe:
    return Unsafe(
        f"the journal {path} was written by a newer durun (its version is {version}, this one knows {VERSION})",
        "use that durun; the file is left untouched",
    )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute(QUERIES["user_version"]).fetchone()[0]
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    """Go up to the newest schema in one transaction. There is no way down."""
    version = _version(connection)
    if version == VERSION:
        return
    connection.execute(QUERIES["begin"])
    for number, script in migrations():
        if number > version:
            for statement in _statements(script):
                _change(connection, statement, version)
    connection.execute(QUERIES["commit"])


def _change(connection: sqlite3.Connection, statement: str, version: int) -> None:
    try:
        connection.execute(statement)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise JournalDamaged(f"the journal has not the tables of its version {version}: {error}", _RESTORE) from error


def newest_tables() -> list[tuple[str, ...]]:
    """The tables, indexes and triggers of the newest schema, as the query `tables` gives them."""
    connection = sqlite3.connect(":memory:")
    try:
        for _, script in migrations():
            connection.executescript(script)
        return connection.execute(QUERIES["tables"]).fetchall()
    finally:
        connection.close()


def _statements(script: str) -> list[str]:
    """The statements of a script: a trigger's body, too, holds semicolons."""
    statements, open_lines = [], ""
    for line in script.splitlines(keepends=True):
        open_lines += line
        if sqlite3.complete_statement(open_lines):
            statements.append(open_lines)
            open_lines = ""
    return statements


def _translated(error: BaseException, path: Path) -> BaseException:
    meant = meaning(error, path) if isinstance(error, sqlite3.Error) else None
    return meant or error
