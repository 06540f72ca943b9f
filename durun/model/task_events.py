"""What can happen to one task: the events that name a step. Stored for ever, see `durun.model.event`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from durun.model.status import Answer, How
from durun.model.task import Purpose, TaskKey, Verdict, WaitKind
from durun.model.tuples import NamedTuple
from durun.model.values import Json

Resolution = Literal["done", "not_done", "failed"]


class TaskSkipped(NamedTuple):
    """`if` was false, for the step or for a group around it."""

    step: str
    reason: str
    target: str | None = None
    round: int = 0


class TaskWaiting(NamedTuple):
    """The task waits, without any process: for a time, for people or for an answer.

    `until` is when that ends (seconds since the epoch; None: never), whoever drives. `asked`: what people are asked,
    see `durun.engine.people`. `every`: the seconds between an answer and the next question of a poll.
    """

    step: str
    kind: WaitKind
    until: float | None
    target: str | None = None
    round: int = 0
    asked: Json = None
    every: float | None = None


class TaskDecided(NamedTuple):
    """A person decided on what a task waits for, and it counts. Any process may append it.

    `nonce` and `digest` are those of what was asked; the rest is as in `durun.model.task.Decision`.
    """

    step: str
    verdict: Verdict
    by: Mapping[str, Json]
    nonce: str
    digest: str
    target: str | None = None
    round: int = 0
    reason: str = ""
    fields: Mapping[str, Json] = {}
    attachments: Sequence[Json] = ()
    advisory: str = ""


class DecisionRefused(NamedTuple):
    """A person decided, and it does not count: `why`. It changes nothing."""

    step: str
    verdict: Verdict
    by: Mapping[str, Json]
    why: str
    nonce: str = ""
    digest: str = ""
    target: str | None = None
    round: int = 0
    reason: str = ""


class RequestWithdrawn(NamedTuple):
    """What a task waits for, or people have approved, holds no more: it begins anew, and what they said is void."""

    step: str
    reason: str
    target: str | None = None
    round: int = 0


class TaskStarted(NamedTuple):
    """The intent of an attempt: recorded before anything is started.

    `closes_at`: when the privilege ends at the latest that it grants. `plugin`: the package and version whose code it
    runs, or empty.
    """

    step: str
    attempt: int
    folder: int
    nonce: str
    session: int
    idempotency_key: str
    request: str
    target: str | None = None
    round: int = 0
    closes_at: float | None = None
    plugin: str = ""


class TaskNeverBegan(NamedTuple):
    """It is proved that the attempt was not started."""

    step: str
    attempt: int
    reason: str
    target: str | None = None
    round: int = 0


class ProbeStarted(NamedTuple):
    """A read-only command is asked: a verify, for a fan-out's targets, or whether a task needs to wait on.

    Of the questions of a poll only the first of each session is recorded; the others are asked in its folder.
    """

    step: str
    purpose: Purpose
    folder: int
    nonce: str
    session: int
    target: str | None = None
    round: int = 0


class ProbeAnswered(NamedTuple):
    """A verify answered (or could not), or a poll: `times` is how often by now, for not each answer is recorded."""

    step: str
    purpose: Purpose
    answer: Answer
    target: str | None = None
    round: int = 0
    reason: str = ""
    exit_code: int | None = None
    times: int = 0


class TaskSucceeded(NamedTuple):
    """The task is done, for good. `sealed`: its secret outputs, each with its seal; `evidence`: what was taken."""

    step: str
    how: How
    target: str | None = None
    round: int = 0
    outputs: Mapping[str, Json] = {}
    exit_code: int | None = None
    reason: str = ""
    log: Json = None
    sealed: Mapping[str, Json] = {}
    evidence: Json = None


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
    evidence: Json = None


class TaskRetried(NamedTuple):
    """A failed task is to be tried again at `due`. `fresh`: with a new budget.

    `due`: seconds since the epoch.
    """

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
    evidence: Json = None


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
    evidence: Json = None


class TaskRolledBack(NamedTuple):
    """The step's rollback has succeeded: nothing is left of what the task did.

    `early`: it closed a privilege that is still needed.
    """

    step: str
    target: str | None = None
    round: int = 0
    early: bool = False


class TaskDue(NamedTuple):
    """A privilege is to be closed now, by this task, which is the rollback of the step that granted it.

    `early`: it is still needed.
    """

    step: str
    reason: str
    target: str | None = None
    round: int = 0
    early: bool = False


class TaskReopened(NamedTuple):
    """What was rolled back is wanted again: the task is pending, with another idempotency key."""

    step: str
    target: str | None = None
    round: int = 0


TaskEvent: TypeAlias = (
    TaskSkipped
    | TaskWaiting
    | TaskDecided
    | DecisionRefused
    | RequestWithdrawn
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
    | TaskRolledBack
    | TaskDue
    | TaskReopened
)
"""Something that happened to one task: `step`, `target` and `round` say which."""


def key_of(event: TaskEvent) -> TaskKey:
    """The task that the event is about."""
    return TaskKey(event.step, event.target, event.round)
