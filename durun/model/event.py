"""The events of a run: the only way in which anything changes. A closed union, stored as JSON.

`encode` and `decode` turn an event into its stored type and data and back. Types and field names are
stored for ever: they may be added to, never renamed or reused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias, get_args

from durun.model.run_events import (
    CancelRequested,
    ClockJumped,
    FinallyStarted,
    Notified,
    NotifyDue,
    PluginsChanged,
    RollbackRequested,
    RollbackStarted,
    RoundStarted,
    RunbookChanged,
    RunCreated,
    RunEnded,
    RunEvent,
    RunInterrupted,
    RunParked,
    SealsDestroyed,
    SessionStarted,
    SurroundingsAccepted,
    TargetsResolved,
)
from durun.model.task import Target
from durun.model.task_events import (
    DecisionRefused,
    ProbeAnswered,
    ProbeStarted,
    RequestWithdrawn,
    Resolution,
    TaskCancelled,
    TaskDecided,
    TaskDue,
    TaskEvent,
    TaskFailed,
    TaskInDoubt,
    TaskNeverBegan,
    TaskReopened,
    TaskRepeated,
    TaskRetried,
    TaskRolledBack,
    TaskSettled,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskWaiting,
    key_of,
)
from durun.model.tuples import NamedTuple
from durun.model.values import Json

__all__ = [
    "CancelRequested",
    "ClockJumped",
    "DecisionRefused",
    "Event",
    "FinallyStarted",
    "Notified",
    "NotifyDue",
    "PluginsChanged",
    "ProbeAnswered",
    "ProbeStarted",
    "RequestWithdrawn",
    "Resolution",
    "RollbackRequested",
    "RollbackStarted",
    "RoundStarted",
    "RunCreated",
    "RunEnded",
    "RunEvent",
    "RunInterrupted",
    "RunParked",
    "RunbookChanged",
    "SealsDestroyed",
    "SessionStarted",
    "Stamped",
    "SurroundingsAccepted",
    "TargetsResolved",
    "TaskCancelled",
    "TaskDecided",
    "TaskDue",
    "TaskEvent",
    "TaskFailed",
    "TaskInDoubt",
    "TaskNeverBegan",
    "TaskReopened",
    "TaskRepeated",
    "TaskRetried",
    "TaskRolledBack",
    "TaskSettled",
    "TaskSkipped",
    "TaskStarted",
    "TaskSucceeded",
    "TaskWaiting",
    "decode",
    "encode",
    "key_of",
    "type_of",
]

Event: TypeAlias = TaskEvent | RunEvent


class Stamped(NamedTuple):
    """An event with its number in its run (from 1) and its time (seconds since the epoch)."""

    sequence: int
    at: float
    event: Event


class _Codec:
    """Stored type names and field names of every event."""

    by_type: ClassVar[dict[str, type[Any]]] = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Event)
    }
    names: ClassVar[dict[type[Any], str]] = {kind: name for name, kind in by_type.items()}
    fields: ClassVar[dict[type[Any], tuple[str, ...]]] = {kind: kind._fields for kind in get_args(Event)}


def type_of(event: Event) -> str:
    """The stored type: `task_started`, `run_ended`, …"""
    return _Codec.names[type(event)]


def encode(event: Event) -> dict[str, Json]:
    """The stored data of an event: a JSON object with every field."""
    return {name: getattr(event, name) for name in _Codec.fields[type(event)]}


def decode(kind: str, data: Mapping[str, Json]) -> Event:
    """The event that `encode` took apart.

    Raises KeyError for a type that this durun does not know.
    """
    event_class = _Codec.by_type[kind]
    if event_class is TargetsResolved:
        data = {**data, "targets": tuple(Target(key, value) for key, value in data["targets"])}
    event: Event = event_class(**data)
    return event
