"""The list of runs: a table for people, objects for programs.

Off a terminal it is one line a run, whatever its length, to be searched. On one, why a run stands where it stands comes
in a column where there is room for it, else on lines of its own; on a narrow one, each run has a paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from durun.model.status import RunStatus, spoken
from durun.model.task import RunRecord
from durun.model.tuples import NamedTuple
from durun.model.values import Json
from durun.views.json import run_line
from durun.views.summary import all_counts, ran_for
from durun.views.text import duration, fit, local_time, one_line, short_time, table, width_of, wrapped
from durun.views.why import When, Why, why_json, why_text


class Listed(NamedTuple):
    """A run, where it stands, and why."""

    record: RunRecord
    status: RunStatus
    why: Why


_HEADINGS = ("RUN", "RUNBOOK", "STATUS", "STARTED", "TOOK", "TASKS")
_STATUS = 2
_RUNBOOK, _DROPPED = 1, (4, 5, 3)
"""Columns that give way on a narrow terminal: the one that is cut, and those that are left out, the first one first."""
_NAME = 24
"""Columns of a runbook's name that are worth more than another column."""
_NARROW = 60
"""Columns of a terminal below which a run does not fit into a line."""
_ROOM = 60
"""Columns in which most of why a run stands where it stands can be read."""
_LINES = 3
"""Lines that are given to why, at most."""


def history_text(runs: Sequence[Listed], now: float, width: int | None, colours: bool = False) -> str:
    """The runs, newest first, in lines not longer than `width` (None: as long as they are)."""
    text = _text(runs, now, width)
    return _painted(runs, text) if colours else text


def _painted(runs: Sequence[Listed], text: str) -> str:
    """Each run's line is the next that begins with its id; its status is under the heading, or follows the id."""
    from durun.views.colours import with_status  # off a terminal nobody pays for it

    lines, rest = text.splitlines(), iter(runs)
    start, run = lines[0].find(_HEADINGS[_STATUS]), next(rest, None)
    for number, line in enumerate(lines):
        if run is not None and line.startswith(f"{run.record.id}  "):
            lines[number] = with_status(line, run.status, start if start > 0 else len(run.record.id) + 2)
            run = next(rest, None)
    return "".join(f"{line}\n" for line in lines)


def _text(runs: Sequence[Listed], now: float, width: int | None) -> str:

    def when(at: float) -> str:
        return local_time(at) if width is None else short_time(at, now)

    rows = [_row(run, now, when) for run in runs]
    reasons = [why_text(run.record, run.status, run.why, when) for run in runs]
    if width is not None and width < _NARROW:
        runs_told = (_paragraph(row, reason, width) for row, reason in zip(rows, reasons, strict=True))
        return "".join(line for paragraph in runs_told for line in paragraph)
    if width is None or _in_column(rows, reasons, width):
        headings = (*_HEADINGS, *(["WHY"] if any(reasons) else []))
        whole = [(*row, reason) if len(headings) > len(row) else row for row, reason in zip(rows, reasons, strict=True)]
        return table(headings, whole, width, len(headings) - 1)
    heading, *lines = table(_HEADINGS, rows, width, _RUNBOOK, _DROPPED, _NAME).splitlines()
    told = (line for pair in zip(lines, reasons, strict=True) for line in _with_reason(*pair, width))
    return "".join([f"{heading}\n", *told])


def _in_column(rows: Sequence[Sequence[str]], reasons: Sequence[str], width: int) -> bool:
    longest = (max(map(width_of, column)) for column in zip(_HEADINGS, *rows, strict=True))
    room = width - sum(longest) - 2 * len(_HEADINGS)
    return room >= min(_ROOM, max(map(width_of, reasons), default=0)) and room > 0


def _with_reason(line: str, reason: str, width: int) -> Iterator[str]:
    yield f"{line}\n"
    if reason:
        said = wrapped(f"  {reason}", width, 4).splitlines()
        if len(said) > _LINES:
            said = [*said[: _LINES - 1], fit(f"{said[_LINES - 1]} …", width)]
        yield from (f"{part}\n" for part in said)


def _paragraph(row: Sequence[str], reason: str, width: int) -> Iterator[str]:
    run_id, runbook, status, started, took, tasks = row
    told = f"  {runbook}  {tasks}"
    more = f"  {took}" if took and width_of(told) + 2 + len(took) <= width else ""
    yield from (f"{line}\n" for line in wrapped(f"{run_id}  {status}  {started}", width, 2).splitlines())
    yield from _with_reason(wrapped(told + more, width), reason, width)


def _row(run: Listed, now: float, when: When) -> tuple[str, ...]:
    record, status, _ = run
    live = status in ("running", "pending")
    took = duration(ran_for(record, now)) if record.ended_at is not None or live else ""
    return record.id, one_line(record.runbook), spoken(status), when(record.created_at), took, _tasks(record)


def _tasks(record: RunRecord) -> str:
    """`10/12`, and what is wrong: `10/12, 1 failed`; nothing where nothing is known of them."""
    if not record.total:
        return ""
    counts = all_counts(record)
    done = counts["succeeded"] + counts["skipped"] + counts["rolled_back"]
    bad = "".join(f", {counts[status]} {spoken(status)}" for status in ("failed", "in_doubt") if counts[status])
    return f"{done}/{record.total}{bad}"


def history_json(runs: Sequence[Listed]) -> list[Json]:
    """The same as objects."""
    return [{**run_line(record, status), **why_json(record, status, why)} for record, status, why in runs]
