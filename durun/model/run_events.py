"""What can happen to a run as a whole. Stored for ever, see `durun.model.event`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from durun.model.status import NotifyOn, RunStatus
from durun.model.task import Target
from durun.model.tuples import NamedTuple
from durun.model.values import Json


class RunCreated(NamedTuple):
    """A run was asked for. Everything that must not change under it is fixed here.

    `tasks` counts the tasks of the steps, a fan-out as one. `place` is the folder of the runbook file,
    `surroundings` what a resume must find again: `host`, `uid`, `home`, `path`, `env` (every `env.X` that is
    read), `inherited` (name → fingerprint). `files`: relative path → `{"sha256", "mode"}`, of the copies in
    `files_folder` of the run's folder. `only_targets`: keys chosen by `--target`. `sealed`: secret inputs, each with
    its seal (see `durun.model.task.TaskState`). `steps` and `finally_steps`: ids of those that do something, in the
    order of the file. `concurrency_group`: the name that no other run may hold beside this one; it is let go at the
    end, and in the statuses `release_on`. `included`: the texts of the files that the runbook includes, by their paths
    relative to `place`; `digest` is over all of them. `plugins`: the actions from plugins that it uses, by name, as
    `durun.model.plugin.said_of` tells of them.
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
    included: Mapping[str, str] = {}
    plugins: Mapping[str, Json] = {}


class SessionStarted(NamedTuple):
    """A process began to drive the run; its attempts name the session, and so this place."""

    session: int
    reason: Literal["start", "resume", "cancel", "settle", "rollback", "reap"]
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
    """The run goes on under a changed runbook. `changes` says what, step by step; the rest is as of `run_created`."""

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
    included: Mapping[str, str] = {}
    plugins: Mapping[str, Json] = {}


class PluginsChanged(NamedTuple):
    """The run goes on with other versions of plugins, under which its runbook means the same.

    `changes` says which became which; `plugins` are those of RunCreated as they are now.
    """

    changes: Sequence[str]
    plugins: Mapping[str, Json]
    by: Mapping[str, Json]


class RoundStarted(NamedTuple):
    """An ended run was taken up again: `finally` will run once more at its end."""

    round: int
    by: Mapping[str, Json]


class TargetsResolved(NamedTuple):
    """The targets of a fan-out, fixed for the run.

    `tasks` counts the tasks that they make. Until then, and where they can't be had, the fan-out counts as one task
    without a target. `sealed` is the seal of the secret fields of all targets (key → field → value); the targets
    themselves lack these fields. `approval`: the step that was approved when they were not known: its approvers decide
    once more before they are begun, and that is one task more, the one without a target.
    """

    step: str
    targets: Sequence[Target]
    tasks: int
    round: int = 0
    skipped: bool = False
    sealed: Json = None
    approval: str = ""


class CancelRequested(NamedTuple):
    """Someone asked that the run be stopped. A request: any process may append it."""

    reason: str
    by: Mapping[str, Json]


class RollbackRequested(NamedTuple):
    """Someone asked that the run be rolled back. A request: any process may append it."""

    reason: str
    by: Mapping[str, Json]


class RollbackStarted(NamedTuple):
    """No step goes on any more: what stands is undone, newest first.

    `cause`: what the run would have ended as; `exit_code`: what it ends with, if all is undone; `tasks`: how many
    tasks there are for it.
    """

    cause: RunStatus
    exit_code: int
    tasks: int


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
    """The run is over. `standing`: of one that was rolled back, the tasks (step, target) whose effects are left."""

    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Json] = {}
    reason: str = ""
    standing: Sequence[Sequence[str | None]] = ()


class SealsDestroyed(NamedTuple):
    """The run has succeeded, and its sealed values, which nobody needs any more, are gone. `values`: how many."""

    values: int


class NotifyDue(NamedTuple):
    """Somebody is to be told, by these `notifiers` of the runbook (their places in its list), under one `key`.

    `about` is a digest of how the run stands: of the same standing nobody is told twice.
    """

    event: NotifyOn
    about: str
    key: str
    notifiers: Sequence[int]


class Notified(NamedTuple):
    """A notifier was asked to tell what was due under this key; if not `ok`, `reason` says why it did not."""

    key: str
    notifier: int
    ok: bool
    reason: str = ""


class ClockJumped(NamedTuple):
    """The wall clock stood at `found` when `expected` was due, by what the machine counts: it was set back or forward.
    Times go on from the latest seen.
    """

    expected: float
    found: float


RunEvent: TypeAlias = (
    RunCreated
    | SessionStarted
    | SurroundingsAccepted
    | RunbookChanged
    | PluginsChanged
    | RoundStarted
    | TargetsResolved
    | CancelRequested
    | RollbackRequested
    | RollbackStarted
    | FinallyStarted
    | RunParked
    | RunInterrupted
    | RunEnded
    | SealsDestroyed
    | NotifyDue
    | Notified
    | ClockJumped
)
"""Something that happened to the run, or to a fan-out of it."""
