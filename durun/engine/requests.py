"""What the verbs may do to a run, and the events that they record: the same in every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from durun.engine.api import CancelRequest, Observer, Outcome, RollbackRequest, SettleRequest, StartRequest
from durun.engine.beginning import Beginning
from durun.errors import GroupHeld, NotAllowed
from durun.journal.api import Journal, RunQuery, SequenceConflict
from durun.journal.lookup import group_held, there_already
from durun.journal.reading import moment, read_state
from durun.language.inputs import digest_of
from durun.model.clock import Clock
from durun.model.ending import reaped_code
from durun.model.event import CancelRequested, Event, RollbackRequested, RunCreated, RunParked, TaskSettled
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import ENDED, FINAL, RUN_STATUSES, spoken
from durun.model.task import ROLLBACK, RunRecord
from durun.model.values import Json

Made = TypeVar("Made", bound=Event)


def append_newest(journal: Journal, clock: Clock, run_id: str, make: Callable[[RunState], Made]) -> Made:
    """Append one event that is made from the newest state, however often others are faster. Raises NoSuchRun."""
    while True:
        state = read_state(journal, run_id)
        event = make(state)
        try:
            journal.append(run_id, state.record.sequence, [event], moment(journal, clock, state.record))
        except SequenceConflict:
            continue
        return event


def inputs_digest(request: StartRequest) -> str:
    """Equal for requests with the same inputs."""
    return digest_of({**request.inputs, **request.fingerprints})


def unfinished(request: StartRequest) -> RunQuery:
    """The newest run of the request's runbook name and inputs that can still go on."""
    name, digest = request.source.runbook.name, inputs_digest(request)
    return RunQuery(frozenset(RUN_STATUSES) - FINAL, name, inputs_digest=digest, limit=1)


def refuse_start(journal: Journal, request: StartRequest, group: str | None) -> None:
    """Raise what `record_run` would raise (SequenceConflict, GroupHeld), before anything is made ready."""
    if request.alone and (there := journal.runs(unfinished(request))):
        raise there_already(there[0].id)
    if not _parks_for_group(request):
        _refuse_held(journal, group)


def record_run(journal: Journal, run_id: str, created: RunCreated, at: float, request: StartRequest) -> list[Event]:
    """Record a new run; returns its first events. Raises SequenceConflict, GroupHeld.

    One that is to be left rather than wait for its group is parked where another run holds that: then it is waiting.
    """
    unless = unfinished(request) if request.alone else None
    events: list[Event] = [created]
    try:
        journal.append(run_id, 0, events, at, unless)
    except GroupHeld as held:
        if not _parks_for_group(request):
            raise
        reason = f"run {held.holder} holds the concurrency group `{held.group}`"
        events.append(RunParked(status="waiting", reason=reason))
        journal.append(run_id, 0, events, at, unless)
    return events


def _parks_for_group(request: StartRequest) -> bool:
    concurrency = request.source.runbook.concurrency
    return request.park and concurrency is not None and concurrency.on_conflict == "wait"


def refuse_resume(journal: Journal, record: RunRecord) -> None:
    """Raise GroupHeld for a run that has let go of its concurrency group, and another one holds it now."""
    if not record.holds_group:
        _refuse_held(journal, record.concurrency_group)


def _refuse_held(journal: Journal, group: str | None) -> None:
    if group is not None and (holder := journal.group_holder(group)) is not None:
        raise group_held(holder, holder.status)


def ended(record: RunRecord) -> str:
    """What is said of a run that has ended for good."""
    return f"run {record.id} has ended: {spoken(record.status)}"


def refuse_final(record: RunRecord, verb: str, hint: str = "") -> None:
    """Raise NotAllowed for a run that has ended for good. `verb` completes "there is nothing to …"."""
    if record.status in FINAL:
        raise NotAllowed(ended(record), f"there is nothing to {verb}{hint}")


def cancelled(state: RunState, request: CancelRequest) -> CancelRequested:
    """The wish that a run be stopped. Raises NotAllowed.

    Once `finally` has begun there is nothing left to stop: it would run for a cancel as well, and to its end.
    """
    record = state.record
    refuse_final(record, "cancel")
    if record.final_status is not None and record.status not in ENDED:
        raise NotAllowed(
            f"the steps of run {record.id} are over, and its `finally` has begun",
            f"it runs to its end; if nobody drives the run: durun resume {record.id}",
        )
    return CancelRequested(reason=request.reason, by=request.by)


def rollback_wished(state: RunState, request: RollbackRequest, runbook: Runbook) -> RollbackRequested:
    """The wish that what a run did be undone. Raises NotAllowed."""
    record = state.record
    if record.status == "rolled_back":
        raise NotAllowed(f"run {record.id} is rolled back already", "there is nothing left to undo")
    if record.final_status is not None and record.status not in ENDED:
        raise NotAllowed(
            f"the steps of run {record.id} are over, and its `finally` has begun",
            f"when it has ended: durun rollback {record.id}; if nobody drives the run: durun resume {record.id}",
        )
    if not runbook.rollbacks():
        raise NotAllowed(
            f"no step of run {record.id} has a `rollback`",
            f"undo by hand what it did; `durun show {record.id}` lists that",
        )
    return RollbackRequested(reason=request.reason, by=request.by)


def left_open(plan: Plan, state: RunState, observer: Observer) -> Outcome:
    """How a reap comes back that can do nothing now: nothing is recorded, and what is in doubt is told of."""
    run_id, code = state.record.id, reaped_code(plan, state)
    if code:
        observer.said(f"run {run_id}: whether its privilege is closed is in doubt, as it was; see: durun show {run_id}")
    return Outcome(run_id, state.record.status, code)


def cancelling(state: RunState, request: CancelRequest) -> Beginning:
    """How a session begins that carries a cancel out.

    A run that has failed is given up on in a round of its own, and to begin a round clears what was asked before it.
    """
    wish = CancelRequested(reason=request.reason, by=request.by)
    return Beginning("cancel", request.by, events=[wish] if state.record.status in ENDED else [])


def settled(
    state: RunState,
    request: SettleRequest,
    lives: Callable[[int], bool],
    seal: Callable[[Mapping[str, Json]], Mapping[str, Json]] = dict,
) -> TaskSettled:
    """An operator's word on a doubt. `lives` says whether a process is there, `seal` seals. Raises NotAllowed."""
    task = state.tasks.get(request.task)
    a_step = not request.task.round and not request.task.step.endswith(ROLLBACK)
    if state.record.rollback_code is not None and a_step:
        raise NotAllowed(
            f"run {state.record.id} is being rolled back, and {request.task} with it",
            f"durun resume {state.record.id} goes on with the rollback",
        )
    if task is None or task.status != "in_doubt":
        status = "pending" if task is None else task.status
        doubts = [str(key) for key, other in state.tasks.items() if other.status == "in_doubt"]
        raise NotAllowed(
            f"{request.task} is not in doubt, it is {spoken(status)}",
            f"in doubt: {', '.join(doubts)}" if doubts else "nothing in this run is in doubt",
        )
    if request.resolution != "done" and task.pid is not None and lives(task.pid):
        raise NotAllowed(
            f"process {task.pid} of {request.task} still runs, and may still do its work",
            f"wait for it to end, or stop it: kill {task.pid}",
        )
    return TaskSettled(
        **request.task._asdict(),
        resolution=request.resolution,
        reason=request.reason,
        by=request.by,
        outputs=request.outputs,
        sealed=seal(request.secret_outputs) if request.secret_outputs else {},
    )
