"""`apply`: from what was, and an event, to what is. The only function that changes the state of a run or a task.

The journal folds with it, the runner folds with it, `durun verify` folds with it: there is one truth. An
event that the task's state does not permit is refused, so that no bug elsewhere can start a finished step again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from durun.model import event as ev
from durun.model.apply_run import apply_run, created
from durun.model.event import Event, TaskEvent, key_of
from durun.model.status import TaskStatus
from durun.model.task import (
    CLOSED_EARLY,
    Attempt,
    AttemptStatus,
    Decision,
    Probe,
    RunRecord,
    TaskKey,
    TaskState,
    Waiting,
)

_PERMITTED: Mapping[type[Any], frozenset[TaskStatus]] = {
    ev.TaskSkipped: frozenset({"pending"}),
    ev.TaskWaiting: frozenset({"pending"}),
    ev.TaskDecided: frozenset({"waiting"}),
    ev.RequestWithdrawn: frozenset({"waiting", "succeeded"}),
    ev.TaskStarted: frozenset({"pending"}),
    ev.TaskNeverBegan: frozenset({"running"}),
    ev.ProbeStarted: frozenset({"pending", "waiting", "running", "in_doubt"}),
    ev.ProbeAnswered: frozenset({"pending", "waiting", "running", "in_doubt"}),
    ev.TaskSucceeded: frozenset({"pending", "waiting", "running", "in_doubt"}),
    ev.TaskFailed: frozenset({"pending", "waiting", "running", "in_doubt"}),
    ev.TaskRetried: frozenset({"failed", "cancelled"}),
    ev.TaskInDoubt: frozenset({"running", "in_doubt"}),
    ev.TaskRepeated: frozenset({"in_doubt"}),
    ev.TaskSettled: frozenset({"in_doubt"}),
    ev.TaskCancelled: frozenset({"waiting", "running"}),
    ev.TaskRolledBack: frozenset({"pending", "succeeded", "failed", "in_doubt", "cancelled", "rolled_back"}),
    ev.TaskDue: frozenset({"pending"}),
    ev.TaskReopened: frozenset({"succeeded", "rolled_back"}),
}

_NEW = TaskState()


class IllegalTransition(Exception):
    """An event came for a task whose state does not permit it: a bug, stopped before it is recorded."""


def task_of(event: Event) -> TaskKey | None:
    """The task whose state the event changes, if it is about one."""
    if isinstance(event, TaskEvent):
        return key_of(event)
    if isinstance(event, ev.TargetsResolved):
        return TaskKey(event.step, None, event.round)
    return None


def apply(
    run: RunRecord | None, task: TaskState | None, event: Event, at: float, sequence: int, run_id: str
) -> tuple[RunRecord, TaskState | None]:
    """The run's record and the task's state after `event`.

    `task` is the state of `task_of(event)`, None where nothing has happened to it. `at` is the event's time.
    Raises IllegalTransition.
    """
    if isinstance(event, ev.RunCreated):
        return created(event, at, sequence, run_id), None
    if run is None:
        raise IllegalTransition(f"the first event of a run is run_created, not {ev.type_of(event)}")
    if isinstance(event, ev.DecisionRefused):
        return run._replace(sequence=sequence), task
    if isinstance(event, TaskEvent):
        before = task or _NEW
        after = _apply_task(before, event, at)
        changes: dict[str, Any] = {"sequence": sequence}
        if before.status != after.status:
            changes["counts"] = _recount(run.counts, before.status, after.status)
        if isinstance(event, (ev.TaskStarted, ev.ProbeStarted)):
            changes["folders"] = max(run.folders, event.folder)
        if (before.closes_at is None) != (after.closes_at is None):
            changes["privileged"] = run.privileged + (1 if before.closes_at is None else -1)
        if isinstance(event, ev.TaskDue) and task is None and run.rollback_code is None:
            changes["total"] = run.total + 1
        return run._replace(**changes), after
    if isinstance(event, ev.TargetsResolved):
        if task is not None and task.status != "pending":
            raise IllegalTransition(f"targets_resolved for {event.step}, which is {task.status}")
        resolved = run._replace(sequence=sequence, total=run.total + event.tasks - 1)
        return resolved, None if task is None else task._replace(probe=None)
    return apply_run(run, event, at, sequence), None


def _recount(counts: Mapping[TaskStatus, int], before: TaskStatus, after: TaskStatus) -> dict[TaskStatus, int]:
    new = dict(counts)
    if before != "pending":
        new[before] -= 1
        if not new[before]:
            del new[before]
    if after != "pending":
        new[after] = new.get(after, 0) + 1
    return new


def _apply_task(task: TaskState, event: TaskEvent, at: float) -> TaskState:
    if task.status not in _PERMITTED[type(event)]:
        raise IllegalTransition(f"{ev.type_of(event)} for {key_of(event)}, which is {task.status}")
    if isinstance(event, ev.TaskRolledBack):
        # What is still to be undone has its turn by when it was done: so that stays.
        # What had not succeeded stays wrong, now that nothing of it is left.
        good = task.status in ("succeeded", "rolled_back")
        code = (CLOSED_EARLY if event.early else "") if good else task.code or CLOSED_EARLY
        return task._replace(**_NO_DOUBT, status="rolled_back", code=code, not_before=None, closes_at=None)
    return task._replace(**{"changed_at": at, **_changes(task, event, at)})


_Changes = dict[str, Any]
"""Fields of a task's state and their new values: one copy per event, however much changes."""


def _changes(task: TaskState, event: TaskEvent, at: float) -> _Changes:
    match event:
        case ev.TaskSkipped():
            return {"status": "skipped", "reason": event.reason}
        case ev.TaskWaiting():
            waiting = Waiting(event.kind, event.until, event.asked, every=event.every)
            return {**_NO_OUTCOME, "status": "waiting", "waiting": waiting, "not_before": None}
        case ev.TaskDecided():
            return _decided(task, event, at)
        case ev.RequestWithdrawn():
            return {**_NO_OUTCOME, "status": "pending", "waiting": None, "probe": None, "outputs": _NEW.outputs}
        case ev.TaskStarted():
            return _started(task, event, at)
        case ev.TaskNeverBegan():
            ended = _end_attempt(task, "never_began", at, event.reason)
            return {**ended, "status": "pending", "fences": task.fences + 1, "probe": None}
        case ev.ProbeStarted():
            return _asked(task, event)
        case ev.ProbeAnswered():
            return _answered(task, event, at)
        case ev.TaskRetried() | ev.TaskRepeated() | ev.TaskReopened() | ev.TaskDue():
            return _to_be_done(task, event)
        case ev.TaskSettled():
            return _settled(task, event)
        case _:
            return _ended(task, event, at)


def _to_be_done(task: TaskState, event: ev.TaskRetried | ev.TaskRepeated | ev.TaskReopened | ev.TaskDue) -> _Changes:
    match event:
        case ev.TaskRetried():
            fresh = {"failures": 0, "fences": 0, "repeats": 0} if event.fresh else {}
            return {"status": "pending", "not_before": event.due, **fresh}
        case ev.TaskRepeated():
            return {**_NO_OUTCOME, **_NO_DOUBT, "status": "pending", "repeats": task.repeats + 1}
        case ev.TaskReopened():
            return {**_ANEW, "generation": task.generation + 1}
        case ev.TaskDue():
            return {"due": True, "early": event.early, "reason": event.reason}


def _decided(task: TaskState, event: ev.TaskDecided, at: float) -> _Changes:
    """What is asked anew has another nonce: a decision about the old one can't be recorded for the new one."""
    waiting = task.waiting
    if waiting is None or waiting.asked is None or waiting.asked["nonce"] != event.nonce:
        raise IllegalTransition(f"task_decided for {key_of(event)}, of which something else is asked")
    decision = Decision(event.verdict, event.by, at, event.reason, event.fields, event.attachments, event.advisory)
    # It waits on as before, and since when is told to whoever has still to decide.
    waiting = waiting._replace(decisions=(*waiting.decisions, decision))
    return {"waiting": waiting, "changed_at": task.changed_at}


_NO_OUTCOME: Mapping[str, Any] = {"how": None, "code": "", "reason": "", "exit_code": None}
_NO_DOUBT: Mapping[str, Any] = {
    "probe": None,
    "answer": None,
    "asked_in": 0,
    "answered_at": 0.0,
    "not_done_since": None,
    "gone": True,
    "pid": None,
}
"""Nothing is left of what was asked about a doubt that is over."""
_ANEW: Mapping[str, Any] = {
    **_NO_OUTCOME,
    **_NO_DOUBT,
    "status": "pending",
    "failures": 0,
    "fences": 0,
    "repeats": 0,
    "checked_before": False,
    "due": False,
    "early": False,
    "closes_at": None,
}
"""Of a task that is wanted again, its attempts are kept, and nothing else."""


def _started(task: TaskState, event: ev.TaskStarted, at: float) -> _Changes:
    attempt = Attempt(
        number=event.attempt,
        folder=event.folder,
        nonce=event.nonce,
        session=event.session,
        started_at=at,
        key=event.idempotency_key,
        request=event.request,
        plugin=event.plugin,
    )
    changes = {**_NO_OUTCOME, "status": "running", "attempts": (*task.attempts, attempt), "not_before": None}
    if event.closes_at is not None:
        changes["closes_at"] = event.closes_at
    return {**changes, "probe": None}


def _asked(task: TaskState, event: ev.ProbeStarted) -> _Changes:
    """A probe that a session left open is dropped by the next one that asks."""
    _refuse_other_purpose(task, event)
    if task.probe is not None and task.probe.session == event.session:
        raise IllegalTransition(f"probe_started for {key_of(event)}, which is being asked already")
    return {"probe": Probe(event.purpose, event.folder, event.nonce, event.session)}


def _refuse_other_purpose(task: TaskState, event: ev.ProbeStarted | ev.ProbeAnswered) -> None:
    """A task that polls is asked by its poll and by nothing else; no other task is."""
    polls = task.waiting is not None and task.waiting.kind == "poll"
    if polls != (event.purpose == "poll") or polls != (task.status == "waiting"):
        raise IllegalTransition(f"{ev.type_of(event)} ({event.purpose}) for {key_of(event)}, which is {task.status}")


def _answered(task: TaskState, event: ev.ProbeAnswered, at: float) -> _Changes:
    _refuse_other_purpose(task, event)
    if task.waiting is not None:
        # Its question may not be recorded.
        asked = task.waiting._replace(times=event.times, answered_at=at)
        return {"probe": None, "waiting": asked, "reason": event.reason, "exit_code": event.exit_code}
    if task.probe is None or task.probe.purpose != event.purpose:
        raise IllegalTransition(f"probe_answered for {key_of(event)}, which was not asked ({event.purpose})")
    if event.purpose != "in_doubt":
        return {"probe": None, "checked_before": task.checked_before or event.purpose == "before"}
    since = task.not_done_since if task.not_done_since is not None else at
    return {
        "probe": None,
        "answer": event.answer,
        "answered_at": at,
        "asked_in": task.probe.session,
        "not_done_since": since if event.answer == "not_done" else None,
    }


def _settled(task: TaskState, event: ev.TaskSettled) -> _Changes:
    clear = {**_NO_DOUBT, "how": None, "code": "", "reason": event.reason}
    # The doubt is over: an attempt that had no effect may be followed by one that asks for something else.
    status: AttemptStatus = "succeeded" if event.resolution == "done" else "failed"
    clear["attempts"] = (*task.attempts[:-1], *(last._replace(status=status) for last in task.attempts[-1:]))
    match event.resolution:
        case "done":
            given = {"outputs": event.outputs, "sealed": event.sealed}
            return {**clear, **given, "status": "succeeded", "how": "settled"}
        case "not_done":
            return {**clear, "status": "pending"}
        case "failed":
            # The operator's word is the last: no retry policy may look at it.
            failures = task.failures + FINAL_FAILURE
            return {**clear, "status": "failed", "how": "settled", "code": "settled", "failures": failures}
        case _:
            assert_never(event.resolution)


def _ended(task: TaskState, event: TaskEvent, at: float) -> _Changes:
    changes = _outcome(task, event, at)
    return changes if task.waiting is None else {**changes, "waiting": None}


def _outcome(task: TaskState, event: TaskEvent, at: float) -> _Changes:
    match event:
        case ev.TaskSucceeded():
            over = _end_attempt(task, "succeeded", at, event.reason, event)
            # 100,000 tasks without outputs share one empty mapping.
            given = {"outputs": event.outputs or _NEW.outputs, "sealed": event.sealed or _NEW.sealed}
            over |= {"how": event.how, "code": "", **given}
            return {**_NO_DOUBT, **over, "status": "succeeded"}
        case ev.TaskFailed():
            over = _end_attempt(task, "failed", at, event.reason, event)
            over["failures"] = task.failures + (1 if event.retryable else FINAL_FAILURE)
            return {**_NO_DOUBT, **over, "status": "failed", "how": event.how, "code": event.code}
        case ev.TaskInDoubt():
            over = _end_attempt(task, "in_doubt", at, event.reason, event)
            over |= {"how": event.how, "code": "in_doubt"}
            return {**_NO_DOUBT, **over, "status": "in_doubt", "gone": event.gone, "pid": event.pid}
        case ev.TaskCancelled():
            over = _end_attempt(task, "cancelled", at, event.reason, event)
            return {**over, "status": "cancelled", "probe": None}
        case _:
            raise IllegalTransition(f"no such event of a task: {event}")


FINAL_FAILURE = 1_000_000
"""Added to `failures` by a failure that no retry policy may look at: more than any budget."""


def _end_attempt(
    task: TaskState, status: AttemptStatus, at: float, reason: str, event: TaskEvent | None = None
) -> _Changes:
    """Close the newest attempt, if it is still open or in doubt, and note why on the task."""
    exit_code = getattr(event, "exit_code", None)
    changes: _Changes = {"reason": reason, "exit_code": exit_code}
    attempt = task.attempt
    if attempt is not None and task.status in ("running", "in_doubt"):
        closed = attempt._replace(
            status=status,
            ended_at=attempt.ended_at or at,
            reason=reason,
            exit_code=attempt.exit_code if exit_code is None else exit_code,
            how=getattr(event, "how", None),
            log=getattr(event, "log", None) or attempt.log,
            evidence=getattr(event, "evidence", None) or attempt.evidence,
        )
        changes["attempts"] = (*task.attempts[:-1], closed)
    return changes
