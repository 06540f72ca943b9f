"""`apply` for the run as a whole: its record after an event. See `durun.model.apply`, the door."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

from durun.model import event as ev
from durun.model.status import FINAL
from durun.model.task import RunRecord

Happening: TypeAlias = (
    ev.SessionStarted
    | ev.SurroundingsAccepted
    | ev.RunbookChanged
    | ev.PluginsChanged
    | ev.RoundStarted
    | ev.CancelRequested
    | ev.RollbackRequested
    | ev.RollbackStarted
    | ev.FinallyStarted
    | ev.RunParked
    | ev.RunInterrupted
    | ev.RunEnded
    | ev.SealsDestroyed
    | ev.NotifyDue
    | ev.Notified
    | ev.ClockJumped
)
"""What happens to a run that is there already, beside what happens to its tasks and fan-outs."""


def apply_run(run: RunRecord, event: Happening, at: float, sequence: int) -> RunRecord:
    """The run's record after an event that is about the run as a whole."""
    changes: dict[str, Any]
    if isinstance(event, ev.CancelRequested | ev.RollbackRequested):
        return _wished(run, event)._replace(sequence=sequence)
    match event:
        case ev.SessionStarted():
            changes = _driven(run, event)
        case ev.RoundStarted():
            # Whoever takes the run up again overrules a wish that came too late for the last round.
            changes = {"round": event.round, "final_status": None, "ended_at": None, "exit_code": None, "reason": ""}
            changes |= {"cancel_requested": False, "rollback_requested": False}
        case ev.RunbookChanged():
            changes = {"digest": event.digest, "total": run.total + event.tasks}
        case ev.RollbackStarted():
            changes = {"status": "rolling_back", "rollback_requested": False, "rollback_code": event.exit_code}
            changes["total"] = run.total + event.tasks
        case ev.FinallyStarted():
            changes = {"final_status": event.status, "total": run.total + event.tasks}
        case ev.RunParked():
            changes = {"status": event.status, "reason": event.reason}
        case ev.RunInterrupted():
            changes = {"status": "interrupted", "reason": event.reason}
        case ev.RunEnded():
            changes = {
                "status": event.status,
                "exit_code": event.exit_code,
                "outputs": event.outputs,
                "reason": event.reason,
                "ended_at": at,
            }
        case (
            ev.SurroundingsAccepted()
            | ev.PluginsChanged()
            | ev.SealsDestroyed()
            | ev.NotifyDue()
            | ev.Notified()
            | ev.ClockJumped()
        ):
            changes = {}
        case _:
            assert_never(event)
    after = run._replace(sequence=sequence, **changes)
    if run.concurrency_group is not None and after.status != run.status:
        return after._replace(holds_group=_holds(after))
    return after


def _driven(run: RunRecord, event: ev.SessionStarted) -> dict[str, Any]:
    """Whoever only closes privileges leaves the run as it is."""
    if event.reason == "reap":
        return {"sessions": event.session}
    status = "running" if run.rollback_code is None else "rolling_back"
    return {"status": status, "sessions": event.session, "reason": ""}


def _wished(run: RunRecord, event: ev.CancelRequested | ev.RollbackRequested) -> RunRecord:
    """Of two wishes, the newer one counts. A rollback that was asked for is not the failure that it began with."""
    undo = isinstance(event, ev.RollbackRequested)
    code = 0 if undo and run.rollback_code is not None else run.rollback_code
    return run._replace(cancel_requested=not undo, rollback_requested=undo, rollback_code=code, reason=event.reason)


def _holds(run: RunRecord) -> bool:
    """Whether a run of a concurrency group holds it: to its end, and as long as an attempt may be at work.

    One that nobody has driven yet and that waits, waits for the group.
    """
    if run.status in FINAL or (run.status == "waiting" and not run.sessions):
        return False
    return run.status not in run.release_on or bool(run.counts.get("running") or run.counts.get("in_doubt"))


def created(event: ev.RunCreated, at: float, sequence: int, run_id: str) -> RunRecord:
    """The record of a run that was just asked for."""
    return RunRecord(
        id=run_id,
        runbook=event.runbook,
        digest=event.digest,
        status="pending",
        created_at=at,
        sequence=sequence,
        total=event.tasks,
        request_id=event.request_id,
        inputs_digest=event.inputs_digest,
        uid=event.by.get("uid", 0),
        concurrency_group=event.concurrency_group,
        release_on=tuple(event.release_on),
        holds_group=event.concurrency_group is not None,
    )
