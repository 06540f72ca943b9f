"""Looks into the journal's file for what a proof must know: its structure, its tables, a run and its states."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from durun.errors import JournalDamaged
from durun.journal import lookup
from durun.journal.chain import RESTORE, Link, prove
from durun.journal.codec import compare
from durun.journal.connect import newest_tables
from durun.journal.queries import QUERIES


def check_structure(connection: sqlite3.Connection, path: Path) -> None:
    """Have SQLite look at the whole file. Raises JournalDamaged."""
    found = connection.execute(QUERIES["integrity_check"]).fetchone()[0]
    if found != "ok":
        raise damaged(path, found)


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Prove that the tables, with what guards them, are those that durun makes. Raises JournalDamaged."""
    if connection.execute(QUERIES["tables"]).fetchall() != newest_tables():
        raise damaged(path, "its tables are not those that durun makes")
    if connection.execute(QUERIES["foreign_key_check"]).fetchone() is not None:
        raise damaged(path, "a row belongs to one that is not there")


def check_run(connection: sqlite3.Connection, run_id: str) -> None:
    """Prove the chain of a run, and that its rows are what its events say. Raises JournalDamaged, NoSuchRun."""
    stored = connection.execute(QUERIES["record"], (run_id,)).fetchone()
    if stored is None:
        raise lookup.unknown(run_id)
    values = {"id": run_id, "after": 0}
    links = (Link(*row) for row in connection.execute(QUERIES["events"], values))
    tasks = connection.execute(QUERIES["tasks"], (run_id,))
    compare(run_id, prove(run_id, links), tuple(stored), {tuple(row[:3]): tuple(row) for row in tasks})


def damaged(path: Path, what: str) -> JournalDamaged:
    """The error of a file that is no whole journal."""
    return JournalDamaged(f"the journal {path} is damaged: {what}", RESTORE)
