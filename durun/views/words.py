"""What the events of a run are called in the views: one line for an operator, one mark for what is good or bad."""

from __future__ import annotations

from durun.model import event as ev
from durun.model.event import Event, TaskEvent, key_of
from durun.model.people import NO, name_of
from durun.model.status import spoken
from durun.model.task import TaskState, Waiting, undone_by
from durun.model.tuples import NamedTuple
from durun.views.people import said_text, waits_for
from durun.views.text import clock_time, counted, duration, local_time, one_line, task_name


class Line(NamedTuple):
    """One line about an event. `wrong`: shown with --quiet too. `minor`: only in a list of all events."""

    text: str
    wrong: bool = False
    minor: bool = False


def line_of(event: Event, task: TaskState | None = None, due: float | None = None) -> Line:  # noqa: C901  (one case an event)
    """What to say about an event; `task` is the state after it, where there is one.

    `due`: when a task is started that is pending again, where the event does not say it.
    """
    if isinstance(event, TaskEvent):
        return _task_line(event, task, due)
    match event:
        case ev.RunCreated():
            return Line(f"run of {event.runbook} created", minor=True)
        case ev.SessionStarted():
            return Line(f"driven by process {event.pid} on {one_line(event.host)} ({event.reason})", minor=True)
        case ev.SurroundingsAccepted():
            return Line(f"accepted although it differs: {one_line(', '.join(event.names))}")
        case ev.RunbookChanged():
            return Line(f"the runbook was changed: {one_line('; '.join(event.changes)) or 'no step differs'}")
        case ev.PluginsChanged():
            return Line(f"goes on with other versions of plugins: {one_line('; '.join(event.changes))}")
        case ev.RoundStarted():
            return Line(f"round {event.round} began", minor=True)
        case ev.TargetsResolved():
            return Line(f"{one_line(event.step)}: {counted(len(event.targets), 'target')}")
        case ev.CancelRequested():
            return Line(f"cancel asked for: {one_line(event.reason)}", wrong=True)
        case ev.RollbackRequested():
            return Line(f"rollback asked for{_because(event.reason)}", wrong=True)
        case ev.RollbackStarted():
            return Line(f"rolling back: {counted(event.tasks, 'task')} to undo, newest first", wrong=True)
        case ev.FinallyStarted():
            return Line("the steps are over; finally runs")
        case ev.RunParked():
            return Line(f"the run is parked: {one_line(event.reason)}", minor=True)
        case ev.RunInterrupted():
            return Line(f"interrupted: {one_line(event.reason)}", minor=True)
        case ev.RunEnded():
            return Line(f"the run ended: {spoken(event.status)}", minor=True)
        case ev.SealsDestroyed():
            return Line(f"{counted(event.values, 'sealed value')} destroyed: nobody needs them any more", minor=True)
        case ev.NotifyDue():
            return Line(f"somebody is to be told: {event.event}", minor=True)
        case ev.Notified():
            how = "was told" if event.ok else f"could not be told: {one_line(event.reason)}"
            return Line(f"notice {event.notifier + 1} {how}", wrong=not event.ok, minor=event.ok)
        case ev.ClockJumped():
            return Line(f"the clock jumped {way(event)}", wrong=True)


def way(event: ev.ClockJumped) -> str:
    """How far a clock was set, and whereto."""
    jump = event.found - event.expected
    return f"{'back' if jump < 0 else 'forward'} by {duration(abs(jump))}"


def _task_line(event: TaskEvent, task: TaskState | None, due: float | None) -> Line:  # noqa: C901
    name = task_name(key_of(event))
    match event:
        case ev.TaskSkipped():
            return Line(f"{name} skipped: {one_line(event.reason)}")
        case ev.TaskWaiting():
            return Line(f"{name} {_waits(event)}")
        case ev.TaskDecided():
            return Line(f"{name} {said_text(event)}", wrong=event.verdict in NO)
        case ev.DecisionRefused():
            who, why = one_line(name_of(event.by)), one_line(event.why)
            return Line(f"{name}: {event.verdict} by {who} does not count: {why}", wrong=True)
        case ev.RequestWithdrawn():
            return Line(f"{name} is asked anew: {one_line(event.reason)}", wrong=True)
        case ev.TaskStarted():
            return Line(f"{name} started" + (f" (attempt {event.attempt})" if event.attempt > 1 else ""))
        case ev.TaskNeverBegan():
            return Line(f"{name} never began: {one_line(event.reason)}")
        case ev.ProbeStarted():
            return Line(f"{name}: {PROBES[event.purpose]}", minor=True)
        case ev.ProbeAnswered(purpose="poll"):
            return Line(f"{name}: not yet{_because(event.reason)}, asked {counted(event.times, 'time')}", minor=True)
        case ev.ProbeAnswered():
            return Line(f"{name}: verify says {spoken(event.answer)}{_because(event.reason)}")
        case ev.TaskSucceeded():
            how = "" if event.how == "ran" else f" ({event.how})"
            return Line(f"{name} succeeded{how}{_took(task)}")
        case ev.TaskFailed():
            # One that is tried again has not gone wrong yet: cron need not tell of it.
            again = task is not None and task.status in ("pending", "running")
            failed = "failed" if again else "FAILED"
            return Line(f"{name} {failed}: {one_line(event.reason)}{_after(task)}", wrong=not again)
        case ev.TaskRetried():
            when = "" if event.fresh or task is None else f" at {clock_time(event.due)}"
            return Line(f"{name} is tried again{when}{_which(task)}")
        case ev.TaskInDoubt():
            return Line(f"{name} IN DOUBT: {one_line(event.reason)}", wrong=True)
        case ev.TaskRepeated():
            when = "" if due is None else f" at {clock_time(due)}"
            return Line(f"{name} is repeated{when}: safe by {event.proof}")
        case ev.TaskSettled():
            said, who = spoken(event.resolution), one_line(name_of(event.by))
            return Line(f"{name} settled as {said} by {who}: {one_line(event.reason)}")
        case ev.TaskRolledBack():
            return Line(f"{name} is rolled back" + (" before its time" if event.early else ""), wrong=event.early)
        case ev.TaskDue():
            return Line(f"{name} is due: {one_line(event.reason)}")
        case ev.TaskReopened(step) if (granting := undone_by(step)) != step:
            granted = task_name(key_of(event)._replace(step=granting))
            return Line(f"{granted} will be granted again, before the next step that needs it")
        case ev.TaskReopened():
            return Line(f"{name} is wanted again")
        case ev.TaskCancelled():
            return Line(f"{name} cancelled: {one_line(event.reason)}", wrong=True)


PROBES = {
    "in_doubt": "in doubt; verify is asked",
    "before": "verify is asked whether it is done already",
    "after": "verify is asked whether it is done",
    "targets": "asking for its targets",
    "poll": "asking whether it is so",
}
"""What is asked by a probe, by its purpose."""


def _waits(event: ev.TaskWaiting) -> str:
    if event.asked is not None:
        return waits_for(Waiting(event.kind, event.until, event.asked))
    return "waits" + (f" until {local_time(event.until)}" if event.until is not None else "")


def _because(reason: str) -> str:
    return f" ({one_line(reason)})" if reason else ""


def _which(task: TaskState | None) -> str:
    return f" (attempt {task.failures + 1})" if task is not None and task.status == "pending" else ""


def _after(task: TaskState | None) -> str:
    return f" (after {took})" if (took := _lasted(task)) else ""


def _took(task: TaskState | None) -> str:
    return f" in {took}" if (took := _lasted(task)) else ""


def _lasted(task: TaskState | None) -> str:
    attempt = task.attempt if task else None
    if attempt is None or attempt.ended_at is None:
        return ""
    return duration(attempt.ended_at - attempt.started_at)
