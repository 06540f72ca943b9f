"""Keeps the register in the journal's file: inside the transactions of the writer, so that no event is without it."""

from __future__ import annotations

import sqlite3

from durun.journal import lookup, register
from durun.journal.chain import Link
from durun.journal.codec import read_run
from durun.journal.queries import QUERIES
from durun.journal.register import Entry, Signer


class Registrar:
    """Enters what is to be entered, and signs it once there is a signer. Every call is part of a transaction.

    `unsigned`: it has made an entry that no signature covers; after a transaction that failed it may only seem so.
    """

    def __init__(self) -> None:
        self.signer: Signer | None = None
        self.unsigned = False

    def newest(self, connection: sqlite3.Connection, at: float) -> Entry:
        """The entry to go on from; the first one is made where there is none yet, before a run is stored."""
        entry = _newest(connection)
        if entry is None:
            entry = register.begin(connection.execute(QUERIES["heads"]).fetchall(), at)
            self._insert(connection, entry, sign=False)
        return entry

    def enter(self, connection: sqlite3.Connection, before: Entry, kind: str, run_id: str, last: Link) -> None:
        """Make the entry after `before` for a run whose newest event is `last`."""
        self._insert(connection, register.enter(before, kind, run_id, last.sequence, last.hash, last.at))

    def sign(self, connection: sqlite3.Connection) -> None:
        """Sign the newest entry, if it is not signed."""
        entry = _newest(connection)
        if entry is not None and entry.signature is None and self.signer is not None:
            self._sign(connection, entry, self.signer)
        self.unsigned = False

    def prune(self, connection: sqlite3.Connection, run_id: str, at: float) -> None:
        """Remove a run, and enter what stays of it. Raises NoSuchRun, NotAllowed (it may go on)."""
        row = connection.execute(QUERIES["record"], (run_id,)).fetchone()
        if row is None:
            raise lookup.unknown(run_id)
        record = read_run(row)
        lookup.refuse_not_over(record)
        number, _, head = connection.execute(QUERIES["tail"], (run_id,)).fetchone()
        before = self.newest(connection, at)
        self._insert(connection, register.entomb(before, record, head, at))
        for name in ("delete_tasks", "delete_events", "delete_run"):
            connection.execute(QUERIES[name], (number,))

    def _insert(self, connection: sqlite3.Connection, entry: Entry, sign: bool = True) -> None:
        connection.execute(QUERIES["insert_entry"], (entry.number, entry.run, entry.kind, entry.body))
        if sign and self.signer is not None:
            self._sign(connection, entry, self.signer)
        else:
            self.unsigned = True

    def _sign(self, connection: sqlite3.Connection, entry: Entry, signer: Signer) -> None:
        signed = entry.signed_by(signer)
        connection.execute(QUERIES["insert_signature"], (entry.number, signed.key, signed.signature))
        self.unsigned = False


def _newest(connection: sqlite3.Connection) -> Entry | None:
    row = connection.execute(QUERIES["newest_entry"]).fetchone()
    return None if row is None else Entry(*row)
