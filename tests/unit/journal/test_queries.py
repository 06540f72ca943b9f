"""SQL in files: migrations lead to the schema, and every statement is named, used and understood by SQLite."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import durun.journal
from durun.journal.connect import VERSION
from durun.journal.queries import QUERIES, migrations, parse
from durun.model.status import RUN_STATUSES, TASK_STATUSES

ROOM = Path(durun.journal.__file__).parent


def schema_of(*scripts: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(":memory:")
    for script in scripts:
        connection.executescript(script)
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    connection.close()
    return rows


def test_all_migrations_lead_to_the_schema() -> None:
    schema = (ROOM / "schema.sql").read_text()
    assert schema_of(*[script for _, script in migrations()]) == schema_of(schema)


def test_migrations_are_numbered_without_gaps_and_set_their_version() -> None:
    assert [number for number, _ in migrations()] == list(range(1, VERSION + 1))
    for number, script in migrations():
        assert script.rstrip().endswith(f"PRAGMA user_version = {number};")


def test_the_schema_permits_every_status() -> None:
    schema = (ROOM / "schema.sql").read_text()
    for status in {*TASK_STATUSES, *RUN_STATUSES}:
        assert f"'{status}'" in schema


def test_sqlite_understands_every_query() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((ROOM / "schema.sql").read_text())
    for statement in QUERIES.values():
        names = dict.fromkeys(re.findall(r":(\w+)", statement))
        values = names or (None,) * statement.count("?")
        connection.execute("EXPLAIN " + statement, values).fetchall()
    connection.close()


def test_every_query_is_used() -> None:
    code = "".join(file.read_text() for file in ROOM.glob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in code] == []


def test_names_stand_before_their_statements() -> None:
    assert parse("-- about\n\n-- name: a\nSELECT 1;\n\n-- name: b_c\nSELECT\n  2;\n") == {
        "a": "SELECT 1;",
        "b_c": "SELECT\n  2;",
    }
