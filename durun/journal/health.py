"""A look at the journal's file as such, without changing anything, not even what a killed process left."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from durun.errors import JournalDamaged
from durun.journal.connect import connect_reader, meaning
from durun.journal.queries import QUERIES
from durun.model.tuples import NamedTuple


class Health(NamedTuple):
    """The version of the SQLite library, and the journal mode of the file (`WAL`, `DELETE` …)."""

    sqlite: str
    mode: str


def look(path: Path) -> Health | None:
    """How the journal at `path` is; None if there is none yet.

    Raises Unsafe, JournalDamaged, StorageFailed; Unfinished where a writer has to undo a commit first.
    """
    connection = connect_reader(path)
    if connection is None:
        return None
    try:
        found = connection.execute(QUERIES["quick_check"]).fetchone()[0]
        mode = connection.execute(QUERIES["journal_mode"]).fetchone()[0]
    except sqlite3.Error as error:
        meant = meaning(error, path)
        if meant is None:
            raise
        raise meant from error
    finally:
        connection.close()
    if found != "ok":
        raise JournalDamaged(f"the journal {path} is damaged: {found}", "restore it from a copy")
    return Health(sqlite3.sqlite_version, mode.upper())
