"""What the page says of a run: tables of short texts, worked out from its state, its runbook and its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from durun.model import event as ev
from durun.model.clock import to_iso
from durun.model.event import Stamped
from durun.model.evidence import evidence_of
from durun.model.people import name_of
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.status import RunStatus, spoken
from durun.model.task import TaskKey, TaskState
from durun.model.values import Json
from durun.views.report.controls import covered
from durun.views.report.steps import Listed, looks_of, steps_of
from durun.views.report.timeline import Timeline, draw, spans_of
from durun.views.summary import all_counts, ran_for
from durun.views.text import counted, duration, size, task_name, value_text
from durun.views.words import way


class Seal(NamedTuple):
    """What shows that nothing was changed: the newest head of the run, and the key that signed it ("" for neither)."""

    head: str
    key: str
    signed: bool


class Subject(NamedTuple):
    """A run, with all that a report of it needs. `now` is when the report is made."""

    state: RunState
    status: RunStatus
    runbook: Runbook
    events: Sequence[Stamped]
    seal: Seal
    now: float
    version: str


Row = Sequence[str]


def about(subject: Subject) -> list[tuple[str, str]]:
    """Who, when, what, and how it ended."""
    record, created = subject.state.record, subject.state.created
    by = f"{name_of(created.by)} (uid {created.by.get('uid', '?')}) on {created.by.get('host', '?')}"
    facts = [
        ("run", record.id),
        ("runbook", created.file),
        ("SHA-256 of the runbook", created.digest),
        ("asked for by", by),
        ("started", when(record.created_at)),
        ("ended", when(record.ended_at)),
        ("took", duration(ran_for(record, subject.now))),
        ("why it stands so", record.reason),
        ("exit code", "" if record.exit_code is None else str(record.exit_code)),
        ("request id", record.request_id or ""),
        ("concurrency group", record.concurrency_group or ""),
        ("privileges it needs", "; ".join(subject.runbook.requires.privileges)),
        (
            "plugins",
            "; ".join(f"{one['name']} of {one['package']} {one['version']}" for one in created.plugins.values()),
        ),
        ("durun", created.version),
    ]
    return [(name, text) for name, text in facts if text]


def _plugin(said: Mapping[str, Json]) -> str:
    return f"{said['name']} of {said['package']} {said['version']}"


def counts(subject: Subject) -> list[tuple[str, str, int]]:
    """How many tasks have each status: the status, its words, the number."""
    return [(status, spoken(status), count) for status, count in all_counts(subject.state.record).items() if count]


def values(mapping: Mapping[str, Json], sealed: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Inputs or outputs; of secret ones a fingerprint, which is equal for equal values."""
    secret = [(name, f"secret, fingerprint {seal['fingerprint'][:16]}…") for name, seal in sealed.items()]
    return [*((name, value_text(value)) for name, value in mapping.items()), *secret]


def people(subject: Subject) -> list[Row]:
    """What people were asked, and what they said: when, step, who, what, why."""
    rows: list[Row] = []
    for _, at, event in subject.events:
        match event:
            case ev.TaskWaiting() if event.asked is not None:
                said = str(event.asked.get("message") or event.asked.get("instructions") or "")
                rows.append((when(at), task_name(ev.key_of(event)), "durun", f"asked ({event.kind})", said))
            case ev.TaskDecided():
                values = ", ".join(f"{name}={value_text(value)}" for name, value in event.fields.items())
                files = ", ".join(f"{one['name']} (SHA-256 {one['sha256']})" for one in event.attachments)
                why = "; ".join(filter(None, (event.reason, values, files, _advisory(event.advisory))))
                rows.append((when(at), task_name(ev.key_of(event)), name_of(event.by), event.verdict, why))
            case ev.DecisionRefused():
                why = f"does not count: {event.why}"
                rows.append((when(at), task_name(ev.key_of(event)), name_of(event.by), event.verdict, why))
            case _:
                pass
    return rows


def _advisory(text: str) -> str:
    return f"no separation of duties: {text}" if text else ""


def doubts(subject: Subject) -> list[Row]:
    """What was in doubt, what was asked about it, and how it was settled: when, task, what, why."""
    rows: list[Row] = []
    for _, at, event in subject.events:
        match event:
            case ev.TaskInDoubt():
                said, why = "in doubt", event.reason
            case ev.ProbeAnswered() if event.purpose == "in_doubt":
                said, why = f"verify: {spoken(event.answer)}", event.reason
            case ev.TaskRepeated():
                said, why = "tried again", f"safe, by {event.proof}"
            case ev.TaskSettled():
                said, why = f"settled: {spoken(event.resolution)}", f"{name_of(event.by)}: {event.reason}"
            case _:
                continue
        rows.append((when(at), task_name(ev.key_of(event)), said, why))
    return rows


def history(subject: Subject) -> list[Row]:  # noqa: C901  (one case an event)
    """Who drove the run, changed its runbook, accepted differences, cancelled it: when, what, who or why."""
    rows: list[Row] = []
    for _, at, event in subject.events:
        match event:
            case ev.SessionStarted():
                row = (f"driven ({event.reason})", f"{name_of(event.by)}, process {event.pid} on {event.host}")
            case ev.RunbookChanged():
                row = ("runbook changed", f"{name_of(event.by)}: {'; '.join(event.changes) or 'no step differs'}")
            case ev.PluginsChanged():
                row = ("plugins changed", f"{name_of(event.by)}: {'; '.join(event.changes)}")
            case ev.SurroundingsAccepted():
                row = ("differences accepted", f"{name_of(event.by)}: {', '.join(event.names)}")
            case ev.CancelRequested():
                row = ("cancel asked for", f"{name_of(event.by)}: {event.reason}")
            case ev.RollbackRequested():
                row = ("rollback asked for", f"{name_of(event.by)}: {event.reason}")
            case ev.RollbackStarted():
                row = ("rollback began", "what succeeded is undone, newest first")
            case ev.RunParked():
                row = ("parked", event.reason)
            case ev.RunInterrupted():
                row = ("interrupted", event.reason)
            case ev.RunEnded():
                row = (f"ended: {spoken(event.status)}", event.reason)
            case ev.ClockJumped():
                row = ("clock jumped", way(event))
            case _:
                continue
        rows.append((when(at), *row))
    return rows


def evidence(subject: Subject) -> list[dict[str, str]]:
    """Every piece, with where it is from and its digest."""
    return [
        {
            "name": piece.name,
            "task": task_name(piece.key),
            "size": size(piece.size),
            "sha256": piece.sha256,
            "source": piece.source,
            "taken": f"{piece.taken_at} (local time {piece.utc_offset})",
            "by": f"{piece.user or piece.uid} on {piece.host}",
            "note": "redacted" if piece.redacted else "",
        }
        for piece in evidence_of(_in_order(subject.state.tasks))
    ]


def _in_order(tasks: Mapping[TaskKey, TaskState]) -> list[tuple[TaskKey, TaskState]]:
    def began(entry: tuple[TaskKey, TaskState]) -> float:
        attempts = entry[1].attempts
        return attempts[0].started_at if attempts else entry[1].changed_at

    return sorted(tasks.items(), key=began)


def step_list(subject: Subject) -> list[Listed]:
    """The steps with their tasks, what went wrong first."""
    return steps_of(subject.runbook, subject.state, subject.now)


def looks(subject: Subject) -> Any:
    """How each step looks in the picture."""
    known = looks_of(subject.runbook, subject.state)

    def look(step: Step) -> tuple[str, str]:
        return known[step.id]

    return look


def controls(subject: Subject) -> list[tuple[str, list[tuple[str, tuple[str, str]]]]]:
    """Each control with the steps that are evidence for it, and how they stand; none: the whole run is."""
    known = looks_of(subject.runbook, subject.state)
    return [(one.control, [(step, known[step]) for step in one.steps]) for one in covered(subject.runbook)]


def timeline(subject: Subject) -> Timeline | None:
    """When what was done."""
    end = subject.state.record.ended_at or subject.now
    return draw(spans_of(_in_order(subject.state.tasks), subject.events, end))


def title(subject: Subject) -> str:
    """`rotate-db-passwords succeeded`."""
    return f"{subject.state.record.runbook} {spoken(subject.status)}"


def summary(subject: Subject) -> str:
    """One sentence."""
    record = subject.state.record
    took = duration(ran_for(record, subject.now))
    return f"{counted(record.total, 'task')} in {took}, as of {when(subject.now)}."


def when(seconds: float | None) -> str:
    """UTC, to the millisecond."""
    return "" if seconds is None else to_iso(seconds)
