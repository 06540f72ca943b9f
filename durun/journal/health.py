"""A look at the journal's file as such, without changing anything, not even what a killed process left.

Nobody waits for it but whoever asks the doctor, so sqlite-utils may take its tenth of a second to load.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from durun.errors import JournalDamaged
from durun.journal.connect import connect_reader, meaning
from durun.journal.queries import QUERIES
from durun.model.tuples import NamedTuple


class Health(NamedTuple):
    """The version of the SQLite library, the journal mode of the file (`WAL`, `DELETE` …), and how much is in it."""

    sqlite: str
    mode: str
    runs: int
    events: int


def look(path: Path) -> Health | None:
    """How the journal at `path` is; None if there is none yet.

    Raises Unsafe, JournalDamaged, StorageFailed; Unfinished where a writer has to undo a commit first.
    """
    connection = connect_reader(path)
    if connection is None:
        return None
    from sqlite_utils import Database

    try:
        found = connection.execute(QUERIES["quick_check"]).fetchone()[0]
        file = Database(connection, recursive_triggers=False, execute_plugins=False)
        mode, runs, events = file.journal_mode, file["run"].count, file["event"].count
    except sqlite3.Error as error:
        meant = meaning(error, path)
        if meant is None:
            raise
        raise meant from error
    finally:
        connection.close()
    if found != "ok":
        raise JournalDamaged(f"the journal {path} is damaged: {found}", "restore it from a copy")
    return Health(sqlite3.sqlite_version, mode.upper(), runs, events)
