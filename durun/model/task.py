"""Tasks, attempts and the record of a run: the facts that the events say, nothing derived from the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from durun.model.status import Answer, How, RunStatus, TaskStatus
from durun.model.tuples import NamedTuple
from durun.model.values import Json

Purpose = Literal["in_doubt", "before", "after", "targets", "poll"]
"""Why a read-only probe is run: the three moments of `verify`, `targets: {run: …}`, and `wait_for`."""

WaitKind = Literal["time", "poll", "approval", "manual"]
"""What a task can wait for: a time, that a probe which is asked again and again says so, that people approve, that a
person does a step by hand."""

Verdict = Literal["approve", "reject", "complete", "fail"]
"""What a person can say: the first two about an approval, the others about a `manual` step."""

CLOSED_EARLY = "closed_early"
"""The code of a task that was rolled back because its privilege had ended, though it is still needed."""

AttemptStatus = Literal["running", "succeeded", "failed", "cancelled", "in_doubt", "never_began"]


class TaskKey(NamedTuple):
    """One step for one target. `round` is 0 for the steps, and the round's number for `finally` tasks."""

    step: str
    target: str | None = None
    round: int = 0

    def __str__(self) -> str:
        """`step`, or `step[target]`."""
        return self.step if self.target is None else f"{self.step}[{self.target}]"


ROLLBACK = "@rollback"
"""What the name of the task that undoes a step's has after the step's id."""


def undone_by(step: str) -> str:
    """The step that is undone by a rollback of this name; its own name for a step."""
    return step.removesuffix(ROLLBACK)


def undo_key(key: TaskKey) -> TaskKey:
    """The task that undoes what this one did."""
    return key._replace(step=f"{key.step}{ROLLBACK}")


class Target(NamedTuple):
    """A resolved target: its key, and the value that `target` has in expressions."""

    key: str
    value: Json


class Attempt(NamedTuple):
    """One try of a task. Times are seconds since the epoch; `folder` is the number of its folder, 0 for none.

    `key` is the idempotency key, `request` the digest of what was asked for, `log` what was written
    (`{"stdout": {"bytes", "sha256", "cut"}, "stderr": …}`, and `redacted` where it was) or None. `evidence` is what was
    taken, or None: `{"host", "user", "uid", "command", "utc_offset", "items": {NAME: {"sha256", "bytes", "source",
    "taken_at"}}}`, with `modified_at` of a file, `redacted` where it was, and `problems` where not all could be taken.
    `plugin` is the package and version whose code was run, or empty.
    """

    number: int
    folder: int
    nonce: str
    session: int
    started_at: float
    key: str
    request: str
    status: AttemptStatus = "running"
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    how: How | None = None
    log: Json = None
    evidence: Json = None
    plugin: str = ""


class Probe(NamedTuple):
    """A read-only command that is being asked."""

    purpose: Purpose
    folder: int
    nonce: str
    session: int


class Decision(NamedTuple):
    """What a person said, and when (seconds since the epoch).

    `by` is who (`durun.config.whoami`), `fields` are the values given, `attachments` the files that came with it.
    `advisory` says why this was no separation of duties; empty where it was.
    """

    verdict: Verdict
    by: Mapping[str, Json]
    at: float
    reason: str = ""
    fields: Mapping[str, Json] = {}
    attachments: Sequence[Json] = ()
    advisory: str = ""


class Waiting(NamedTuple):
    """What a task waits for, and until when (seconds since the epoch; None: for ever).

    Of people, `asked` is what (see `durun.engine.people`), and `decisions` what they said that counts.
    Of a poll: `every` is the seconds between an answer and the next question, `times` how many were answered, and
    `answered_at` when the newest was.
    """

    kind: WaitKind
    until: float | None
    asked: Json = None
    decisions: tuple[Decision, ...] = ()
    every: float | None = None
    times: int = 0
    answered_at: float | None = None

    @property
    def due(self) -> float | None:
        """When there is something to do about it: its time has come, or it is asked. None: never.

        A poll is asked a last time when its end has come.
        """
        if self.kind != "poll" or self.overdue:
            return self.until
        if self.answered_at is None:
            return 0.0
        again = self.answered_at + (self.every or 0.0)
        return again if self.until is None else min(again, self.until)

    def to_be_asked(self, now: float) -> bool:
        """Whether it is a poll whose next question is due."""
        return self.kind == "poll" and not self.overdue and self.due is not None and self.due <= now

    @property
    def overdue(self) -> bool:
        """Whether the end of a poll has come, and the answer to its last question."""
        return self.until is not None and self.answered_at is not None and self.answered_at >= self.until


class TaskState(NamedTuple):
    """Where one task stands.

    `failures` counts attempts that ended failed since the budget was last fresh; `fences` those proved
    never begun; `repeats` those that a verify proved not done. `not_before`: when a retry is due.
    For the doubt that is open now: `answer` is the newest answer of a verify, `asked_in` the session that asked,
    `answered_at` when; `not_done_since` the first of an unbroken row of "not done"; `gone` whether no process of
    the attempt is left, and `pid` one that lives on. `sealed`: each secret output with its seal, which is
    `{"at": the sealed file's path in the run's folder, "fingerprint": a keyed digest of the value, in hex}`.
    `closes_at`: it has granted a privilege, which ends then at the latest; `due`: of a rollback, that it is to close
    one now, `early` though it is still needed. `generation`: how often the task was made pending again after it had
    been rolled back.
    """

    status: TaskStatus = "pending"
    how: How | None = None
    code: str = ""
    reason: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, Json] = {}
    sealed: Mapping[str, Json] = {}
    attempts: Sequence[Attempt] = ()
    failures: int = 0
    fences: int = 0
    repeats: int = 0
    not_before: float | None = None
    probe: Probe | None = None
    waiting: Waiting | None = None
    answer: Answer | None = None
    asked_in: int = 0
    answered_at: float = 0.0
    not_done_since: float | None = None
    gone: bool = True
    pid: int | None = None
    checked_before: bool = False
    changed_at: float = 0.0
    closes_at: float | None = None
    due: bool = False
    early: bool = False
    generation: int = 0

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


class RunRecord(NamedTuple):
    """The run itself. `counts` is tasks by status (without `pending`), `total` all tasks known so far.

    `sequence` is the newest event's number, `folders` the highest folder number given out, `sessions` how
    many processes have driven the run, `final_status` what the run will be once its `finally` has run.
    `rollback_requested`: it is to be rolled back. `rollback_code`: it is being, or is, and this is the exit code if all
    is undone. `privileged`: how many tasks have granted a privilege that is not closed.
    `holds_group`: no other run may hold `concurrency_group` now; `release_on` are the statuses in which it lets go.
    """

    id: str
    runbook: str
    digest: str
    status: RunStatus
    created_at: float
    sequence: int = 0
    round: int = 1
    total: int = 0
    counts: Mapping[TaskStatus, int] = {}
    folders: int = 0
    sessions: int = 0
    final_status: RunStatus | None = None
    cancel_requested: bool = False
    reason: str = ""
    ended_at: float | None = None
    exit_code: int | None = None
    request_id: str | None = None
    inputs_digest: str = ""
    uid: int = 0
    outputs: Mapping[str, Json] = {}
    concurrency_group: str | None = None
    release_on: tuple[RunStatus, ...] = ()
    holds_group: bool = False
    rollback_requested: bool = False
    rollback_code: int | None = None
    privileged: int = 0

    @property
    def pending(self) -> int:
        """Tasks that nothing has happened to yet, or that are to be tried again."""
        return self.total - sum(self.counts.values())
