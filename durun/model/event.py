"""The events of a run: the only way in which anything changes. A closed union, stored as JSON.

`encode` and `decode` turn an event into its stored type and data and back. Types and field names are
stored for ever: they may be added to, never renamed or reused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

from durun.model.runbook import Json
from durun.model.status import Answer, How, RunStatus
from durun.model.task import Purpose, Target, TaskKey

Resolution = Literal["done", "not_done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """Something that happened to one task."""

    step: str
    target: str | None = None
    round: int = 0

    @property
    def key(self) -> TaskKey:
        """The task."""
        return TaskKey(self.step, self.target, self.round)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCreated:
    """A run was asked for. Everything that must not change under it is fixed here.

    `tasks` counts the tasks of the steps, a fan-out as one. `place` is the folder of the runbook file,
    `surroundings` what a resume must find again: `host`, `uid`, `home`, `path`, `env` (every `env.X` that is
    read), `inherited` (name → fingerprint). `files`: relative path → `{"sha256", "mode"}`. `only_targets`: keys
    chosen by `--target`.
    """

    runbook: str
    digest: str
    text: str
    file: str
    place: str
    inputs: Mapping[str, Json]
    inputs_digest: str
    tasks: int
    by: Mapping[str, Json]
    version: str
    surroundings: Mapping[str, Json]
    files: Mapping[str, Json] = field(default_factory=dict)
    only_targets: Sequence[str] = ()
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted:
    """A process began to drive the run; its attempts name the session, and so this place."""

    session: int
    reason: Literal["start", "resume", "cancel", "settle"]
    pid: int
    host: str
    boot_id: str
    pid_namespace: str
    mount_id: str
    by: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurroundingsAccepted:
    """An operator accepted that these differ from the start's."""

    names: Sequence[str]
    by: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookChanged:
    """The run goes on under a changed runbook. `changes` says what, step by step."""

    digest: str
    text: str
    file: str
    place: str
    changes: Sequence[str]
    tasks: int
    by: Mapping[str, Json]
    files: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted:
    """An ended run was taken up again: `finally` will run once more at its end."""

    round: int
    by: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsResolved:
    """The targets of a fan-out, fixed for the run. `tasks` counts the tasks that they make.

    Until then, and where they can't be had, the fan-out counts as one task without a target.
    """

    step: str
    targets: Sequence[Target]
    tasks: int
    round: int = 0
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSkipped(TaskEvent):
    """`if` was false, for the step or for a group around it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(TaskEvent):
    """The intent of an attempt: recorded before anything is started."""

    attempt: int
    folder: int
    nonce: str
    session: int
    idempotency_key: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNeverBegan(TaskEvent):
    """It is proved that the attempt was not started."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeStarted(TaskEvent):
    """A read-only command is asked: a verify, or for a fan-out's targets."""

    purpose: Purpose
    folder: int
    nonce: str
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered(TaskEvent):
    """A verify answered (or could not)."""

    purpose: Purpose
    answer: Answer
    reason: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded(TaskEvent):
    """The task is done, for good."""

    how: How
    outputs: Mapping[str, Json] = field(default_factory=dict)
    exit_code: int | None = None
    reason: str = ""
    log: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(TaskEvent):
    """The attempt failed. `code` is the kind of failure, `retryable` whether the retry policy may look at it."""

    code: str
    reason: str
    how: How | None = None
    exit_code: int | None = None
    retryable: bool = True
    log: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(TaskEvent):
    """A failed task is to be tried again at `due` (seconds since the epoch). `fresh`: with a new budget."""

    due: float
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInDoubt(TaskEvent):
    """Nobody can tell whether the attempt had its effect.

    `gone`: no process of it is left. Otherwise `pid` names one that lives, where it can be seen.
    """

    reason: str
    how: How | None = None
    exit_code: int | None = None
    gone: bool = True
    pid: int | None = None
    log: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRepeated(TaskEvent):
    """A task in doubt may be tried again, because `proof` says that it is safe."""

    proof: Literal["verify", "idempotent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettled(TaskEvent):
    """An operator ended a doubt."""

    resolution: Resolution
    reason: str
    by: Mapping[str, Json]
    outputs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(TaskEvent):
    """The attempt was stopped by a cancel, and may be forgotten: the step is idempotent, or had not begun."""

    reason: str
    exit_code: int | None = None
    log: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Someone asked that the run be stopped. A request: any process may append it."""

    reason: str
    by: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinallyStarted:
    """The steps are over; `finally` runs, and then the run has `status`."""

    round: int
    status: RunStatus
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParked:
    """No process stays: the run waits for a person or a time."""

    status: Literal["waiting", "in_doubt"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterrupted:
    """The runner left at a signal; what runs goes on, and a resume adopts it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over."""

    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Json] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped:
    """The wall clock stood at `found` when at least `expected` was due. Times go on from the latest seen."""

    expected: float
    found: float


Event: TypeAlias = (
    RunCreated
    | SessionStarted
    | SurroundingsAccepted
    | RunbookChanged
    | RoundStarted
    | TargetsResolved
    | TaskSkipped
    | TaskStarted
    | TaskNeverBegan
    | ProbeStarted
    | ProbeAnswered
    | TaskSucceeded
    | TaskFailed
    | TaskRetried
    | TaskInDoubt
    | TaskRepeated
    | TaskSettled
    | TaskCancelled
    | CancelRequested
    | FinallyStarted
    | RunParked
    | RunInterrupted
    | RunEnded
    | ClockJumped
)


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
    fields: ClassVar[dict[type[Any], tuple[str, ...]]] = {
        kind: tuple(f.name for f in fields(kind)) for kind in get_args(Event)
    }


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
