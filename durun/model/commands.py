"""What is to be done next about a run: what `decide` says, and whoever drives the run performs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from durun.model.status import RunStatus
from durun.model.task import Purpose, TaskKey
from durun.model.tuples import NamedTuple
from durun.model.values import Json


class Start(NamedTuple):
    """Ask the `if`s of the task; if they hold, record the intent and start an attempt."""

    key: TaskKey


class Resolve(NamedTuple):
    """Fix the targets of a fan-out."""

    key: TaskKey


class Ask(NamedTuple):
    """Ask the step's `verify`, or with purpose `poll` its `wait_for`.

    With purpose `before`, ask the `if`s of the task first, as for a start.
    """

    key: TaskKey
    purpose: Purpose


class Retry(NamedTuple):
    """Try a failed task again at `due` (seconds since the epoch)."""

    key: TaskKey
    due: float


class Repeat(NamedTuple):
    """A task in doubt may be tried again."""

    key: TaskKey
    proof: Literal["verify", "idempotent"]


class GiveUpOn(NamedTuple):
    """A task in doubt is failed, because its step says so."""

    key: TaskKey


class Stop(NamedTuple):
    """Stop what runs of this task: the run is being cancelled."""

    key: TaskKey


class TimeUp(NamedTuple):
    """What a task waited for has come: the time."""

    key: TaskKey


class Grant(NamedTuple):
    """People have said yes, all that had to: the task is done, with the values that they gave."""

    key: TaskKey
    outputs: Mapping[str, Json]
    reason: str


class Deny(NamedTuple):
    """A person has said no, or nobody has said anything in time: the task is failed."""

    key: TaskKey
    code: str
    reason: str


class Overdue(NamedTuple):
    """What a task waited for has not come in its time."""

    key: TaskKey


class AskAgain(NamedTuple):
    """The targets of a fan-out were not known when people approved: they decide on them before one is begun."""

    key: TaskKey


class StopWaiting(NamedTuple):
    """A task waits no more: the run is cancelled or rolled back, or it, or its `finally`, is over."""

    key: TaskKey
    reason: str


class NoteUndone(NamedTuple):
    """The rollback of this task has succeeded. `early`: it closed a privilege that is still needed; `lapses`: which is
    granted anew when something needs it.
    """

    key: TaskKey
    early: bool = False
    lapses: bool = False


class Close(NamedTuple):
    """The privilege that this task granted is to be closed, because of this. `early`: it is still needed."""

    key: TaskKey
    reason: str
    early: bool


class Reopen(NamedTuple):
    """These privileges have lapsed, and are to be granted anew: something can be started that needs them."""

    keys: tuple[TaskKey, ...]


class Leave(NamedTuple):
    """No privilege is left to be closed: leave the run as it is."""


class BeginRollback(NamedTuple):
    """The steps are over: undo what stands, instead of ending with `cause`."""

    cause: RunStatus


class BeginFinally(NamedTuple):
    """The steps are over: run `finally`, then end with `status`."""

    status: RunStatus


class End(NamedTuple):
    """The run is over."""

    status: RunStatus


class Park(NamedTuple):
    """Nothing can be done before a person or a time."""

    status: Literal["waiting", "in_doubt"]


class WakeAt(NamedTuple):
    """Ask again at this time (seconds since the epoch), if nothing happens before."""

    time: float


RunCommand: TypeAlias = Reopen | Leave | BeginRollback | BeginFinally | End | Park | WakeAt
"""What is to be done about the run itself."""

TaskCommand: TypeAlias = (
    Start
    | Resolve
    | Ask
    | Retry
    | Repeat
    | GiveUpOn
    | Stop
    | TimeUp
    | Grant
    | Deny
    | Overdue
    | AskAgain
    | StopWaiting
    | NoteUndone
    | Close
)
"""What is to be done about a task."""

Command: TypeAlias = TaskCommand | RunCommand
