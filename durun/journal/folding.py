"""What an append makes of events: links of the chain, the tasks that they change, and the run's row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from durun.journal import lookup
from durun.journal.api import SequenceConflict
from durun.journal.chain import Link, seal
from durun.journal.codec import read_run, read_tasks, run_changes, run_row
from durun.journal.queries import QUERIES
from durun.model.apply import apply, task_of
from durun.model.event import Event
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.tuples import NamedTuple


class Known(NamedTuple):
    """A run as this process last wrote it: good as long as nobody else has appended to it."""

    number: int
    record: RunRecord | None
    head: int
    hash: bytes
    tasks: dict[TaskKey, TaskState]


def fold(
    connection: sqlite3.Connection, known: Known, run_id: str, events: Sequence[Event], at: float
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


def refuse_held(connection: sqlite3.Connection, before: RunRecord | None, new: RunRecord) -> None:
    """Raise GroupHeld if the run would take a concurrency group that another one has."""
    if not new.holds_group or (before is not None and before.holds_group):
        return
    for row in connection.execute(QUERIES["group_holder"], (new.concurrency_group,)).fetchall():
        holder = read_run(row)
        raise lookup.group_held(holder, holder.status)


def store_run(connection: sqlite3.Connection, known: Known, new: RunRecord) -> int:
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
