"""The seam of the engines: six verbs, and who watches. The contract suite is `tests/contract/`.

Everything that crosses it is plain data, so that a distributed engine can stand behind it as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from durun.model.event import Resolution, Stamped
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import RunStatus
from durun.model.task import TaskKey, Verdict
from durun.model.values import Json


class Source(NamedTuple):
    """A checked runbook and where it came from: `file` as it was named, `place` the absolute folder it stands in."""

    runbook: Runbook
    file: str
    place: str


class StartRequest(NamedTuple):
    """A run that is asked for. `by` says who asks (`durun.config.whoami`).

    `inputs` are complete and checked; those that are secret are in `secret_inputs` instead, and their `fingerprints`
    (keyed digests) tell whether two requests are of the same values.
    `alone`: not beside an unfinished run of the same runbook name and inputs. `park`: leave the run rather than wait
    for a time.
    """

    source: Source
    inputs: Mapping[str, Json]
    by: Mapping[str, Json]
    request_id: str | None = None
    only_targets: Sequence[str] = ()
    alone: bool = False
    secret_inputs: Mapping[str, Json] = {}
    fingerprints: Mapping[str, str] = {}
    park: bool = False


class ResumeRequest(NamedTuple):
    """A run that is to go on. `fresh`: failed tasks get a new budget (an operator asks, not cron).

    `change`: go on under this runbook instead of the stored one. `accept_env`: differences that are accepted. `park`:
    leave the run again rather than wait for a time.
    """

    run_id: str
    by: Mapping[str, Json]
    fresh: bool = True
    change: Source | None = None
    accept_env: Sequence[str] = ()
    park: bool = False


class SettleRequest(NamedTuple):
    """An operator's word on a task in doubt. `secret_outputs` are to be sealed."""

    run_id: str
    task: TaskKey
    resolution: Resolution
    reason: str
    by: Mapping[str, Json]
    outputs: Mapping[str, Json] = {}
    secret_outputs: Mapping[str, Json] = {}


class DecideRequest(NamedTuple):
    """What a person says to what a task waits for. `names` are those that the person answers to (`Claim`).

    `nonce` and `digest` are those of what the person has seen. `fields` are checked; `attachments` lie in the run's
    folder: `{"name", "path", "size", "sha256"}`.
    """

    run_id: str
    task: TaskKey
    verdict: Verdict
    by: Mapping[str, Json]
    names: Collection[str]
    nonce: str
    digest: str
    reason: str = ""
    fields: Mapping[str, Json] = {}
    attachments: Sequence[Json] = ()


class CancelRequest(NamedTuple):
    """A run that is to be stopped."""

    run_id: str
    reason: str
    by: Mapping[str, Json]


class RollbackRequest(NamedTuple):
    """A run whose effects are to be undone. `accept_env` is as in ResumeRequest."""

    run_id: str
    reason: str
    by: Mapping[str, Json]
    accept_env: Sequence[str] = ()


class ReapRequest(NamedTuple):
    """A run whose privileges are to be closed that are open and should not be."""

    run_id: str
    by: Mapping[str, Json]


class Outcome(NamedTuple):
    """How a verb came back. `status` is the run's; `state` says more, where the engine drove the run itself.

    `head`: the digest of the register's newest entry about the run, for whoever keeps it elsewhere; empty where it is
    not known. `driver` is `other` when the request was recorded and another process carries it out (its `holder`:
    `{"pid", "host", "since"}`).
    """

    run_id: str
    status: RunStatus
    exit_code: int
    state: RunState | None = None
    driver: Literal["self", "other"] = "self"
    holder: Mapping[str, Json] | None = None
    head: str = ""


class Observer(Protocol):
    """Somebody who watches a run being driven. Must never raise and never block."""

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:
        """The run is about to be driven. Called again when the state was read anew."""

    def saw(self, events: Sequence[Stamped], state: RunState) -> None:
        """These events were committed, and `state` includes them."""

    def said(self, notice: str) -> None:
        """A line that the operator should read: what is waited for, what differs."""

    def tick(self, now: float) -> None:
        """Time passed (seconds since the epoch); called at least once a second."""

    def ended(self, outcome: Outcome) -> None:
        """Nothing more will come."""


class Engine(Protocol):
    """What drives runs."""

    def start(self, request: StartRequest, observer: Observer) -> Outcome:
        """Create a run and drive it until it ends, parks or is interrupted.

        Raises SequenceConflict if there is a run already by the request's id, or one that it must not stand beside;
        GroupHeld if another run holds its concurrency group.
        """

    def resume(self, request: ResumeRequest, observer: Observer) -> Outcome:
        """Take a run up again.

        Raises NoSuchRun, Busy, Changed, NotAllowed (a run that has ended for good), GroupHeld (it has let go of its
        concurrency group, and another run holds that now).
        """

    def signal(self, request: SettleRequest | DecideRequest, observer: Observer) -> Outcome:
        """Record a person's word. Raises NoSuchRun, NotAllowed (the task is not in doubt, or waits for no such word),
        NotCounted (a decision that does not count; it is recorded).
        """

    def rollback(self, request: RollbackRequest, observer: Observer) -> Outcome:
        """Ask that what a run did be undone, and undo it where nobody drives the run; also of one that has ended.

        Raises NoSuchRun, Changed, NotAllowed (nothing of it can be undone), GroupHeld.
        """

    def reap(self, request: ReapRequest, observer: Observer) -> Outcome:
        """Close the privileges of a run that end by now, and leave it else as it is; `state` is None if there is none.

        Raises NoSuchRun, Busy (whoever drives the run closes them), Changed.
        """

    def cancel(self, request: CancelRequest, observer: Observer) -> Outcome:
        """Ask that a run be stopped, and stop it where nobody drives it. Raises NoSuchRun, NotAllowed, GroupHeld."""
