"""The list of runs: a table for people, objects for programs."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.status import RunStatus
from durun.model.task import RunRecord
from durun.model.values import Json
from durun.views.json import run_line
from durun.views.summary import all_counts, ran_for
from durun.views.text import duration, local_time, one_line, spoken, table

Listed = tuple[RunRecord, RunStatus]
"""A run, and where it stands."""

_HEADINGS = ("RUN", "RUNBOOK", "STATUS", "STARTED", "TOOK", "TASKS")
_RUNBOOK, _DROPPED = 1, (4, 3, 5)
"""Columns that give way on a narrow terminal: the one that is cut, and those that are left out, the first one first."""


def history_text(runs: Sequence[Listed], now: float, width: int | None) -> str:
    """The table, newest first, not wider than `width` (None: as wide as it is)."""
    rows = [_row(record, status, now) for record, status in runs]
    return table(_HEADINGS, rows, width, _RUNBOOK, _DROPPED)


def _row(record: RunRecord, status: RunStatus, now: float) -> tuple[str, ...]:
    live = status in ("running", "pending")
    took = duration(ran_for(record, now)) if record.ended_at is not None or live else ""
    return record.id, one_line(record.runbook), spoken(status), local_time(record.created_at), took, _tasks(record)


def _tasks(record: RunRecord) -> str:
    """`10/12`, and what is wrong: `10/12, 1 failed`."""
    counts = all_counts(record)
    done = counts["succeeded"] + counts["skipped"] + counts["rolled_back"]
    bad = "".join(f", {counts[status]} {spoken(status)}" for status in ("failed", "in_doubt") if counts[status])
    return f"{done}/{record.total}{bad}"


def history_json(runs: Sequence[Listed]) -> list[Json]:
    """The same as objects."""
    return [run_line(record, status) for record, status in runs]
