"""A glance at the journal for completions: they are asked at every TAB, so this stands on `sqlite3` alone.

It reads one moment of the file as it is, whatever state that is in: whoever decides by it asks the journal itself.
"""

from __future__ import annotations

import os
import sqlite3


def glance(home: str, name: str, **values: str) -> list[tuple[str, ...]]:
    """The rows of a statement in `glance.sql`; none where there is nothing to be read."""
    if not os.path.isfile(f"{home}/journal.db"):  # noqa: PTH113  (and a pipe would be waited for)
        return []
    try:
        connection = sqlite3.connect(f"file:{_quoted(home)}/journal.db?mode=ro", uri=True, timeout=0.2)
    except sqlite3.Error:
        return []
    try:
        return connection.execute(_statement(name), values).fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()


def _statement(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), "glance.sql"), encoding="utf-8") as file:  # noqa: PTH118, PTH120
        return file.read().split(f"-- name: {name}\n")[1].partition(";")[0]


def _quoted(path: str) -> str:
    """A path in a URI; `urllib` would cost more than the question."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
