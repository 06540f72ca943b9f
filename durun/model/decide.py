"""`decide`: from how a run stands, and the time, to what is to be done next. Pure: it performs nothing.

Whoever performs the commands records what came of them as events, folds these, and asks again, until nothing
is to be done but to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from durun.model.commands import (
    Ask,
    AskAgain,
    BeginFinally,
    BeginRollback,
    Close,
    Command,
    Deny,
    End,
    GiveUpOn,
    Grant,
    Leave,
    NoteUndone,
    Overdue,
    Park,
    Reopen,
    Repeat,
    Resolve,
    Retry,
    RunCommand,
    Start,
    Stop,
    StopWaiting,
    TaskCommand,
    TimeUp,
    WakeAt,
)
from durun.model.doubt import AskAt, AskNow, GiveUp, RepeatIt, way_out
from durun.model.fan import FanPart
from durun.model.foresight import can_be_known, failed_ahead, fans_ahead
from durun.model.parts import FINE, TaskPart, being_asked
from durun.model.people import Granted, conclusion
from durun.model.plan import Node
from durun.model.privilege import closable
from durun.model.progress import Progress
from durun.model.retry import may_start_at, pause
from durun.model.status import ENDED, FINAL, RunStatus
from durun.model.task import TaskKey, TaskState, undo_key
from durun.model.undo import unclear

__all__ = [
    "Ask",
    "AskAgain",
    "BeginFinally",
    "BeginRollback",
    "Close",
    "Command",
    "Deny",
    "End",
    "GiveUpOn",
    "Grant",
    "Leave",
    "NoteUndone",
    "Overdue",
    "Park",
    "Reopen",
    "Repeat",
    "Resolve",
    "Retry",
    "RunCommand",
    "Start",
    "Stop",
    "StopWaiting",
    "TaskCommand",
    "TimeUp",
    "WakeAt",
    "decide",
]


def decide(progress: Progress, now: float, park: bool = False) -> list[Command]:
    """What to do next. An empty list: wait for what runs.

    `park`: leave the run to a later resume rather than wait for a time, if there is nothing else to do.
    """
    record = progress.state.record
    room = progress.plan.max_parallel - progress.busy
    if progress.undone:
        return [_note_undone(progress, key, now) for key in sorted(progress.undone)]
    commands = list(_due(progress, now))
    commands.extend(_about_doubts(progress, now, room))
    room -= sum(isinstance(command, Ask) for command in commands)
    cancelling = record.cancel_requested and not progress.final
    waits: list[Command] = []
    if progress.reaping or cancelling or _winding_down(progress):
        closings = progress.undo.may_go_on() if progress.undo.closing else ()
        commands.extend(_starts(closings, progress, now, room))
        commands.extend(_stops(progress) if cancelling else ())
        why = f"stopped by a {'cancel' if record.cancel_requested else 'rollback'}"
        waits.extend(StopWaiting(key, why) for key, part in sorted(progress.waits.items()) if not part.busy)
    else:
        commands.extend(_starts(progress.walk(), progress, now, room))
        waits.extend(_about_waits(progress, now))
    if any(not isinstance(command, WakeAt | Reopen) for command in (*commands, *waits)):
        # What else happens now may be a reason not to grant anything anew.
        commands = [command for command in commands if not isinstance(command, Reopen)]
    if progress.busy or commands or any(not isinstance(command, WakeAt) for command in waits):
        return [*commands, *waits, *_next_end(progress, now)]
    if waits:
        return [Park("waiting")] if park else [*waits, *_next_end(progress, now)]
    return _at_rest(progress, cancelling)


def _due(progress: Progress, now: float) -> Iterator[Command]:
    """The privileges that end now. Of a run that is over, and taken up to close them, all do."""
    if progress.final or progress.rolling_back:
        return
    if progress.reaping and progress.state.record.status in ENDED:
        yield from _close_all(progress, "the run is over", early=True)
        return
    for key, reason, early in sorted(progress.granted.due(progress.plan, progress.state, now)):
        if _may_close(progress, key, at_rest=progress.reaping):
            yield Close(key, reason, early)


def _note_undone(progress: Progress, key: TaskKey, now: float) -> NoteUndone:
    """A privilege of an earlier session whose time is over ends as if it had been closed before this one."""
    state, granted = progress.state, progress.state.tasks[key]
    early = state.tasks[undo_key(key)].early and state.record.rollback_code is None
    before = granted.attempt is not None and granted.attempt.session < state.record.sessions
    over = granted.status == "succeeded" and granted.closes_at is not None and granted.closes_at <= now
    return NoteUndone(key, early, early and before and over and not (progress.reaping or progress.final))


def _close_all(progress: Progress, reason: str, *, early: bool) -> list[Command]:
    granted = sorted(progress.granted.everyone())
    return [Close(key, reason, early) for key in granted if _may_close(progress, key, at_rest=True)]


def _may_close(progress: Progress, key: TaskKey, *, at_rest: bool) -> bool:
    rollback, state = progress.state.tasks.get(undo_key(key)), progress.state
    if being_asked(state.tasks[key], state.record.sessions):
        return False
    if rollback is not None and (rollback.due or rollback.status != "pending"):
        return False
    return key.step in progress.plan.undo and closable(progress.plan, state, key, at_rest=at_rest)


def _next_end(progress: Progress, now: float) -> list[Command]:
    """When the next privilege ends: whoever is there then closes it."""
    end = None if progress.final or progress.rolling_back else progress.granted.next_end(now)
    return [] if end is None else [WakeAt(end)]


def _winding_down(progress: Progress) -> bool:
    """Whether the run is to be rolled back once what runs has ended."""
    return progress.state.record.rollback_requested and not (progress.rolling_back or progress.final)


def _about_waits(progress: Progress, now: float) -> Iterator[Command]:
    """Which waits are over, and when the others are, or are to be asked about.

    Beside a failure or a doubt nobody waits on. For people nobody stays awake: they may take days, and whoever comes
    later sees that their time is over. The question of a poll takes a place of the run, and is asked as there is room.
    """
    for key, part in sorted(progress.waits.items()):
        waiting = progress.state.tasks[key].waiting
        if waiting is None or part.busy or not progress.may_go_on(key):
            continue
        if waiting.asked is not None:
            said = conclusion(waiting, now)
            if said is not None:
                yield Grant(key, *said) if isinstance(said, Granted) else Deny(key, *said)
        elif waiting.due is None or waiting.to_be_asked(now):
            continue
        elif waiting.due > now:
            yield WakeAt(waiting.due)
        else:
            yield TimeUp(key) if waiting.kind == "time" else Overdue(key)


def _about_doubts(progress: Progress, now: float, room: int) -> Iterator[Command]:
    """What may be done about every doubt, with at most `room` questions at once."""
    session = progress.state.record.sessions
    for key, part in sorted(progress.doubts.items()):
        if part.busy:
            continue
        match way_out(part.node, progress.state.tasks[key], session, now):
            case AskAt(time) if now < time:
                yield WakeAt(time)
            case AskNow() | AskAt():
                if room > 0:
                    room -= 1
                    yield Ask(key, "in_doubt")
            case RepeatIt(proof):
                yield Repeat(key, proof)
            case GiveUp():
                yield GiveUpOn(key)
            case _:
                pass


def _stops(progress: Progress) -> Iterator[Command]:
    """What a cancel stops: attempts, questions before the first one, and polls. What ends a doubt is waited for."""
    session = progress.state.record.sessions
    for key in sorted(progress.at_work()):
        task = progress.state.tasks[key]
        if progress.undo.closing and progress.plan.is_rollback(key.step):
            continue
        if not being_asked(task, session) or task.status in ("pending", "waiting"):
            yield Stop(key)


def _starts(parts: Iterable[TaskPart | FanPart], progress: Progress, now: float, room: int) -> Iterator[Command]:
    """What may be started of these now, within the run's and every fan-out's max_parallel.

    But what needs a privilege that has lapsed makes that be granted anew, and is started after it.
    """
    reopened: set[TaskKey] = set()
    for move in _moves(parts, progress, now) if room > 0 else ():
        if isinstance(move, Start | Ask | Resolve) and (wanted := progress.wanted_for(move.key)):
            reopened |= wanted if _rests_without(wanted, progress) else set()
            continue
        yield move
        room -= 0 if isinstance(move, (WakeAt, Retry, Deny, AskAgain)) else 1
        if room <= 0:
            break
    if reopened:
        yield Reopen(tuple(sorted(reopened)))


def _rests_without(wanted: frozenset[TaskKey], progress: Progress) -> bool:
    """Whether nothing is at work that needs these privileges: what goes on without them ends first, also a doubt."""
    doubts = (key for key, part in progress.doubts.items() if part.load.moving)
    return not any(wanted & progress.wanted_for(key) for key in (*progress.at_work(), *doubts))


def _moves(parts: Iterable[TaskPart | FanPart], progress: Progress, now: float) -> Iterator[Command]:
    resolving: set[TaskKey] = set()
    for part in parts:
        for command in _starts_of(part, progress, now):
            yield from _before_asking(command, progress, resolving)


def _before_asking(command: Command, progress: Progress, resolving: set[TaskKey]) -> Iterator[Command]:
    """The command; but before people are asked to approve, the targets are had that can be.

    `resolving`: those for which that is commanded already.
    """
    plan, state = progress.plan, progress.state
    if not isinstance(command, Start) or not (node := plan.node(command.key.step)).after:
        yield command
        return
    fans = fans_ahead(plan, node)
    for fan in fans:
        if fan not in progress.early and fan not in resolving and can_be_known(plan, state, fan):
            resolving.add(fan)
            yield Resolve(fan)
    if any(fan in progress.early or fan in resolving for fan in fans):
        return
    why = failed_ahead(plan, state, node)
    yield command if why is None else Deny(command.key, "targets", why)


def _starts_of(part: TaskPart | FanPart, progress: Progress, now: float) -> Iterator[Command]:
    match part:
        case TaskPart():
            if not part.busy:
                yield from _next_move(part, progress, now)
        case FanPart() if part.keys is None:
            if not part.load.busy:
                yield Resolve(part.stand_in)
        case FanPart() if part.held:
            holder = progress.state.tasks.get(part.stand_in)
            if holder is None or holder.status == "pending":
                yield AskAgain(part.stand_in)
        case FanPart():
            for target in part.may_begin():
                for leaf in part.first_leaves:
                    key = TaskKey(leaf, target, progress.round)
                    yield _first_move(progress.plan.nodes[leaf], key, None)


def _next_move(part: TaskPart, progress: Progress, now: float) -> Iterator[Command]:
    task, run_id = progress.state.tasks.get(part.key), progress.state.record.id
    if task is None or task.status == "pending":
        due = None if task is None else may_start_at(part.node, part.key, task, run_id)
        yield _first_move(part.node, part.key, task) if due is None or due <= now else WakeAt(due)
    elif task.status == "waiting" and task.waiting is not None:
        if task.waiting.to_be_asked(now):
            yield Ask(part.key, "poll")
    elif task.status == "failed":
        # Counted from the failure, so that neither a crash nor a full house makes it wait again.
        yield Retry(part.key, task.changed_at + pause(part.node, part.key, task, run_id))


def _first_move(node: Node, key: TaskKey, task: TaskState | None) -> Command:
    new = task is None or not (task.attempts or task.checked_before)
    return Ask(key, "before") if new and node.verify is not None and node.verify.before else Start(key)


def _at_rest(progress: Progress, cancelling: bool) -> list[Command]:
    """Nothing runs and nothing is to be started: the run ends or parks, but for privileges that are still open."""
    if progress.reaping:
        return [Leave()]
    end = _end_of(progress, cancelling)
    if left := [*_left_waiting(progress, end)]:
        return left
    if progress.rolling_back or progress.final or not isinstance(end, BeginFinally | End):
        return [end]
    return _close_all(progress, f"the run has {end.status}", early=end.status != "succeeded") or [end]


def _left_waiting(progress: Progress, end: Command) -> Iterator[Command]:
    """What waits for nothing any more: what is rolled back, `finally` at its end, and all of what is never resumed."""
    if not progress.state.record.counts.get("waiting"):
        return
    steps = isinstance(end, BeginRollback) or (isinstance(end, End) and end.status in FINAL)
    rounds = ({0} if steps else set()) | ({progress.round} if progress.final and isinstance(end, End) else set())
    for key, task in progress.state.tasks.items():
        if task.status == "waiting" and key.round in rounds:
            yield StopWaiting(key, "the run is over" if isinstance(end, End) else "stopped by a rollback")


def _end_of(progress: Progress, cancelling: bool) -> Command:
    root, record = progress.root, progress.state.record
    if progress.rolling_back:
        return _rolled_back(progress, cancelling)
    if _barred(progress, cancelling):
        return Park("in_doubt")
    if any(progress.may_go_on(key) for key in progress.waits):
        return Park("waiting")
    if record.final_status is not None:
        failed = any(standing == "failed" for standing in root.ended.values())
        return End("failed" if failed and record.final_status == "succeeded" else record.final_status)
    status: RunStatus = "succeeded"
    if cancelling:
        status = "cancelled"
    elif root.inner_severity != FINE or progress.undo.wrong:
        status = "failed"
    if _winding_down(progress) or (status == "failed" and progress.plan.roll_back):
        return BeginRollback(status)
    return _over(progress, status)


def _barred(progress: Progress, cancelling: bool) -> bool:
    """Whether a doubt keeps the run from going on: a rollback leaves some behind, and works on others."""
    record, final = progress.state.record, progress.final
    if not record.counts.get("in_doubt"):
        return False
    if record.rollback_code is not None:
        return any(task.status == "in_doubt" and key.round for key, task in progress.state.tasks.items())
    undo = _winding_down(progress) or (progress.plan.roll_back and not cancelling and not final)
    return not undo or bool(unclear(progress.plan, progress.state))


def _rolled_back(progress: Progress, cancelling: bool) -> Command:
    """Nothing of the rollback runs or is to be started."""
    tasks, plan = progress.state.tasks.items(), progress.plan
    if any(task.status == "in_doubt" and plan.is_rollback(key.step) for key, task in tasks):
        return Park("in_doubt")
    ended = set(progress.undo.ended.values())
    return _over(progress, "cancelled" if cancelling else "rollback_failed" if "failed" in ended else "rolled_back")


def _over(progress: Progress, status: RunStatus) -> Command:
    return BeginFinally(status) if progress.plan.finals else End(status)
