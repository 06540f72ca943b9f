"""Which steps of a run, and which runs, are evidence for which control. As a table, JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from durun.model.clock import to_iso
from durun.model.runbook import Runbook
from durun.model.status import RunStatus, spoken
from durun.model.task import RunRecord
from durun.model.values import Json
from durun.views.json import SCHEMA, iso
from durun.views.text import local_time, one_line, pad

ALL_STEPS = "the whole run"


class Covered(NamedTuple):
    """A control, and the ids of the steps that are evidence for it; none: the whole run is."""

    control: str
    steps: tuple[str, ...]


class Entry(NamedTuple):
    """A run that is evidence for a control, by these steps (with where each stands; none: the whole run)."""

    control: str
    record: RunRecord
    status: RunStatus
    steps: tuple[tuple[str, str], ...]
    head: str


def covered(runbook: Runbook) -> list[Covered]:
    """The controls of a runbook and of its steps, sorted."""
    steps: dict[str, list[str]] = {control: [] for control in runbook.controls}
    for step in runbook.every_step():
        for control in step.controls:
            steps.setdefault(control, []).append(step.id)
    return [Covered(control, () if control in runbook.controls else tuple(steps[control])) for control in sorted(steps)]


def controls_text(entries: Sequence[Entry]) -> str:
    """Each control, and below it the runs, newest first."""
    lines: list[str] = []
    width = max((len(entry.record.runbook) for entry in entries), default=0)
    for number, entry in enumerate(entries):
        if number == 0 or entries[number - 1].control != entry.control:
            lines += [*([""] if lines else []), one_line(entry.control)]
        steps = ", ".join(f"{one_line(step)} ({spoken(status)})" for step, status in entry.steps) or ALL_STEPS
        about = f"{pad(entry.record.id, 11)} {pad(entry.record.runbook, width)} {pad(spoken(entry.status), 15)}"
        lines.append(f"  {local_time(entry.record.created_at)}  {about} {steps}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def controls_json(entries: Iterable[Entry], since: float | None, until: float) -> dict[str, Json]:
    """One object: for each control its runs."""
    found: dict[str, list[Json]] = {}
    for entry in entries:
        found.setdefault(entry.control, []).append(_row(entry))
    controls = [{"control": control, "runs": runs} for control, runs in found.items()]
    return {"schema": SCHEMA, "since": iso(since), "until": to_iso(until), "controls": controls}


def controls_csv(entries: Iterable[Entry]) -> str:
    """One line for each control and run. A text that a spreadsheet would take for a formula has a `'` before it."""
    file = io.StringIO()
    names = ("control", "run", "runbook", "status", "started_at", "ended_at", "steps", "runbook_digest", "head")
    writer = csv.writer(file)
    writer.writerow(names)
    for entry in entries:
        row = {
            "control": entry.control,
            **_row(entry),
            "steps": " ".join(f"{step}={status}" for step, status in entry.steps),
        }
        writer.writerow(_harmless(str(row[name] if row[name] is not None else "")) for name in names)
    return file.getvalue()


def _row(entry: Entry) -> dict[str, Json]:
    record = entry.record
    return {
        "run": record.id,
        "runbook": record.runbook,
        "status": entry.status,
        "started_at": iso(record.created_at),
        "ended_at": iso(record.ended_at),
        "steps": [{"step": step, "status": status} for step, status in entry.steps],
        "runbook_digest": record.digest,
        "head": entry.head,
    }


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
