"""The events of a run: the only way in which anything changes. A closed union, stored as JSON.

`encode` and `decode` turn an event into its stored type and data and back. Types and field names are
stored for ever: they may be added to, never renamed or reused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

from durun.model.status import Answer, How, RunStatus
from durun.model.task import Purpose, Target, TaskKey, WaitKind
from durun.model.values import Json

Resolution = Literal["done", "not_done", "failed"]


class RunCreated(NamedTuple):
    """A run was asked for. Everything that must not change under it is fixed here.

    `tasks` counts the tasks of the steps, a fan-out as one. `place` is the folder of the runbook file,
    `surroundings` what a resume must find again: `host`, `uid`, `home`, `path`, `env` (every `env.X` that is
    read), `inherited` (name → fingerprint). `files`: relative path → `{"sha256", "mode"}`, of the copies in
    `files_folder` of the run's folder. `only_targets`: keys chosen by `--target`. `sealed`: secret inputs, each with
    its seal (see `durun.model.task.TaskState`). `steps` and `finally_steps`: ids of those that do something, in the
    order of the file. `concurrency_group`: the name that no other run may hold beside this one; it is let go at the
    end, and in the statuses `release_on`.
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
    files: Mapping[str, Json] = {}
    only_targets: Sequence[str] = ()
    request_id: str | None = None
    sealed: Mapping[str, Json] = {}
    files_folder: str = "files"
    steps: Sequence[str] = ()
    finally_steps: Sequence[str] = ()
    concurrency_group: str | None = None
    release_on: Sequence[RunStatus] = ()


class SessionStarted(NamedTuple):
    """A process began to drive the run; its attempts name the session, and so this place."""

    session: int
    reason: Literal["start", "resume", "cancel", "settle"]
    pid: int
    host: str
    boot_id: str
    pid_namespace: str
    mount_id: str
    by: Mapping[str, Json]


class SurroundingsAccepted(NamedTuple):
    """An operator accepted that these differ from the start's."""

    names: Sequence[str]
    by: Mapping[str, Json]


class RunbookChanged(NamedTuple):
    """The run goes on under a changed runbook. `changes` says what, step by step; the rest is as in RunCreated."""

    digest: str
    text: str
    file: str
    place: str
    changes: Sequence[str]
    tasks: int
    by: Mapping[str, Json]
    files: Mapping[str, Json] = {}
    env: Mapping[str, Json] = {}
    files_folder: str = "files"
    steps: Sequence[str] = ()
    finally_steps: Sequence[str] = ()


class RoundStarted(NamedTuple):
    """An ended run was taken up again: `finally` will run once more at its end."""

    round: int
    by: Mapping[str, Json]


class TargetsResolved(NamedTuple):
    """The targets of a fan-out, fixed for the run. `tasks` counts the tasks that they make.

    Until then, and where they can't be had, the fan-out counts as one task without a target. `sealed` is the seal
    of the secret fields of all targets (key → field → value); the targets themselves lack these fields.
    """

    step: str
    targets: Sequence[Target]
    tasks: int
    round: int = 0
    skipped: bool = False
    sealed: Json = None


class TaskSkipped(NamedTuple):
    """`if` was false, for the step or for a group around it."""

    step: str
    reason: str
    target: str | None = None
    round: int = 0


class TaskWaiting(NamedTuple):
    """The task waits for a time, without any process: until `until`, seconds since the epoch, whoever drives."""

    step: str
    kind: WaitKind
    until: float | None
    target: str | None = None
    round: int = 0


class TaskStarted(NamedTuple):
    """The intent of an attempt: recorded before anything is started."""

    step: str
    attempt: int
    folder: int
    nonce: str
    session: int
    idempotency_key: str
    request: str
    target: str | None = None
    round: int = 0


class TaskNeverBegan(NamedTuple):
    """It is proved that the attempt was not started."""

    step: str
    attempt: int
    reason: str
    target: str | None = None
    round: int = 0


class ProbeStarted(NamedTuple):
    """A read-only command is asked: a verify, or for a fan-out's targets."""

    step: str
    purpose: Purpose
    folder: int
    nonce: str
    session: int
    target: str | None = None
    round: int = 0


class ProbeAnswered(NamedTuple):
    """A verify answered (or could not)."""

    step: str
    purpose: Purpose
    answer: Answer
    target: str | None = None
    round: int = 0
    reason: str = ""
    exit_code: int | None = None


class TaskSucceeded(NamedTuple):
    """The task is done, for good. `sealed`: its secret outputs, each with its seal."""

    step: str
    how: How
    target: str | None = None
    round: int = 0
    outputs: Mapping[str, Json] = {}
    exit_code: int | None = None
    reason: str = ""
    log: Json = None
    sealed: Mapping[str, Json] = {}


class TaskFailed(NamedTuple):
    """The attempt failed. `code` is the kind of failure, `retryable` whether the retry policy may look at it."""

    step: str
    code: str
    reason: str
    target: str | None = None
    round: int = 0
    how: How | None = None
    exit_code: int | None = None
    retryable: bool = True
    log: Json = None


class TaskRetried(NamedTuple):
    """A failed task is to be tried again at `due` (seconds since the epoch). `fresh`: with a new budget."""

    step: str
    due: float
    target: str | None = None
    round: int = 0
    fresh: bool = False


class TaskInDoubt(NamedTuple):
    """Nobody can tell whether the attempt had its effect.

    `gone`: no process of it is left. Otherwise `pid` names one that lives, where it can be seen.
    """

    step: str
    reason: str
    target: str | None = None
    round: int = 0
    how: How | None = None
    exit_code: int | None = None
    gone: bool = True
    pid: int | None = None
    log: Json = None


class TaskRepeated(NamedTuple):
    """A task in doubt may be tried again, because `proof` says that it is safe."""

    step: str
    proof: Literal["verify", "idempotent"]
    target: str | None = None
    round: int = 0


class TaskSettled(NamedTuple):
    """An operator ended a doubt."""

    step: str
    resolution: Resolution
    reason: str
    by: Mapping[str, Json]
    target: str | None = None
    round: int = 0
    outputs: Mapping[str, Json] = {}
    sealed: Mapping[str, Json] = {}


class TaskCancelled(NamedTuple):
    """The attempt was stopped by a cancel, and may be forgotten: the step is idempotent, or had not begun."""

    step: str
    reason: str
    target: str | None = None
    round: int = 0
    exit_code: int | None = None
    log: Json = None


class CancelRequested(NamedTuple):
    """Someone asked that the run be stopped. A request: any process may append it."""

    reason: str
    by: Mapping[str, Json]


class FinallyStarted(NamedTuple):
    """The steps are over; `finally` runs, and then the run has `status`."""

    round: int
    status: RunStatus
    tasks: int


class RunParked(NamedTuple):
    """No process stays: the run waits for a person or a time."""

    status: Literal["waiting", "in_doubt"]
    reason: str


class RunInterrupted(NamedTuple):
    """The runner left at a signal; what runs goes on, and a resume adopts it."""

    reason: str


class RunEnded(NamedTuple):
    """The run is over."""

    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Json] = {}
    reason: str = ""


class SealsDestroyed(NamedTuple):
    """The run has succeeded, and its sealed values, which nobody needs any more, are gone. `values`: how many."""

    values: int


class ClockJumped(NamedTuple):
    """The wall clock stood at `found` when at least `expected` was due. Times go on from the latest seen."""

    expected: float
    found: float


TaskEvent: TypeAlias = (
    TaskSkipped
    | TaskWaiting
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
)
"""Something that happened to one task: `step`, `target` and `round` say which."""

Event: TypeAlias = (
    TaskEvent
    | RunCreated
    | SessionStarted
    | SurroundingsAccepted
    | RunbookChanged
    | RoundStarted
    | TargetsResolved
    | CancelRequested
    | FinallyStarted
    | RunParked
    | RunInterrupted
    | RunEnded
    | SealsDestroyed
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
    fields: ClassVar[dict[type[Any], tuple[str, ...]]] = {kind: kind._fields for kind in get_args(Event)}


def key_of(event: TaskEvent) -> TaskKey:
    """The task that the event is about."""
    return TaskKey(event.step, event.target, event.round)


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
