"""SQL lives in `.sql` files, where it can be read, linted and tried by hand; this finds it by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from durun.journal.api import RunQuery
from durun.journal.chain import canonical

_HERE = Path(__file__).parent
_MARK = "-- name: "


def parse(text: str) -> dict[str, str]:
    """Name → statement, of a text in which `-- name: x` stands before each."""
    queries: dict[str, str] = {}
    for part in text.split(_MARK)[1:]:
        name, _, statement = part.partition("\n")
        queries[name.strip()] = statement.strip()
    return queries


def migrations() -> list[tuple[int, str]]:
    """Version → script, in order, of every migration there is. Files are named `0001_topic.sql`."""
    files = sorted((_HERE / "migrations").glob("*.sql"))
    return [(int(file.name.partition("_")[0]), file.read_text(encoding="utf-8")) for file in files]


QUERIES: Mapping[str, str] = parse((_HERE / "queries.sql").read_text(encoding="utf-8"))


def listing(query: RunQuery) -> tuple[str, dict[str, object]]:
    """The statement whose index fits best, and its values."""
    values: dict[str, object] = {
        "statuses": None if query.statuses is None else canonical(sorted(query.statuses)),
        "runbook": query.runbook,
        "since": query.since,
        "request_id": query.request_id,
        "inputs_digest": query.inputs_digest,
        "uid": query.uid,
        "limit": -1 if query.limit is None else query.limit,
    }
    if query.request_id is not None:
        return "runs_by_request", values
    if query.runbook is not None:
        return "runs_by_runbook", values
    return "runs" if query.statuses is None else "runs_by_status", values
