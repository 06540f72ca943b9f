"""`decide`: from how a run stands, and the time, to what is to be done next. Pure: it performs nothing.

Whoever performs the commands records what came of them as events, folds these, and asks again, until nothing
is to be done but to wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from durun.model.doubt import AskAt, AskNow, GiveUp, RepeatIt, way_out
from durun.model.parts import DOUBTFUL, FAILING, FINE, FanPart, TaskPart
from durun.model.progress import Progress
from durun.model.retry import delay
from durun.model.status import RunStatus
from durun.model.task import Purpose, TaskKey, TaskState


@dataclass(frozen=True, slots=True)
class Start:
    """Ask the `if`s of the task; if they hold, record the intent and start an attempt."""

    key: TaskKey


@dataclass(frozen=True, slots=True)
class Resolve:
    """Fix the targets of a fan-out."""

    key: TaskKey


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the step's `verify`."""

    key: TaskKey
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a failed task again at `due` (seconds since the epoch)."""

    key: TaskKey
    due: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """A task in doubt may be tried again."""

    key: TaskKey
    proof: Literal["verify", "idempotent"]


@dataclass(frozen=True, slots=True)
class GiveUpOn:
    """A task in doubt is failed, because its step says so."""

    key: TaskKey


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop what runs of this task: the run is being cancelled."""

    key: TaskKey


@dataclass(frozen=True, slots=True)
class BeginFinally:
    """The steps are over: run `finally`, then end with `status`."""

    status: RunStatus


@dataclass(frozen=True, slots=True)
class End:
    """The run is over."""

    status: RunStatus


@dataclass(frozen=True, slots=True)
class Park:
    """Nothing can be done before a person or a time."""

    status: Literal["waiting", "in_doubt"]


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Ask again at this time (seconds since the epoch), if nothing happens before."""

    time: float


Command: TypeAlias = Start | Resolve | Ask | Retry | Repeat | GiveUpOn | Stop | BeginFinally | End | Park | WakeAt


def decide(progress: Progress, now: float) -> list[Command]:
    """What to do next. An empty list: wait for what runs."""
    commands = list(_about_doubts(progress, now))
    cancelling = progress.state.record.cancel_requested and not progress.final
    if cancelling:
        commands.extend(Stop(key) for key in _busy(progress))
    elif progress.root.inner_severity == FINE:
        commands.extend(_about_retries(progress, now))
        commands.extend(_starts(progress, now))
    if progress.busy or any(not isinstance(command, WakeAt) for command in commands):
        return commands
    return commands or [_at_rest(progress, cancelling)]


def _about_doubts(progress: Progress, now: float) -> Iterator[Command]:
    session = progress.state.record.sessions
    for key, part in progress.doubts.items():
        task = progress.state.tasks[key]
        if task.probe is not None:
            continue
        match way_out(part.node, task, session, now):
            case AskNow():
                yield Ask(key, "in_doubt")
            case AskAt(time):
                yield Ask(key, "in_doubt") if now >= time else WakeAt(time)
            case RepeatIt(proof):
                yield Repeat(key, proof)
            case GiveUp():
                yield GiveUpOn(key)
            case _:
                pass


def _about_retries(progress: Progress, now: float) -> Iterator[Command]:
    for key, part in progress.retries.items():
        task = progress.state.tasks[key]
        seed = f"{progress.state.record.id}/{key}"
        yield Retry(key, now + delay(part.node.retry, task.failures, seed))


def _busy(progress: Progress) -> list[TaskKey]:
    """Every task that runs or is asked about, fan-outs whose targets are being asked for included."""
    found = []
    for part, _ in progress.walk():
        if isinstance(part, TaskPart) and part.busy:
            found.append(part.key)
        elif isinstance(part, FanPart) and part.keys is None and part.busy:
            found.append(part.placeholder)
    return found


def _starts(progress: Progress, now: float) -> Iterator[Command]:
    """What may be started now, within the run's and every fan-out's max_parallel."""
    room = progress.plan.max_parallel - progress.busy
    if room <= 0:
        return
    for part, free in progress.walk():
        if not free:
            continue
        for command in _starts_of(part, progress, now):
            yield command
            room -= 0 if isinstance(command, WakeAt) else 1
            if room <= 0:
                return


def _starts_of(part: object, progress: Progress, now: float) -> Iterator[Command]:
    match part:
        case TaskPart():
            task = progress.state.tasks.get(part.key)
            if not part.busy and (task is None or task.status == "pending"):
                yield _first_move(part, task, now)
        case FanPart() if part.keys is None:
            if not part.busy:
                yield Resolve(part.placeholder)
        case FanPart():
            for target in part.may_begin():
                for leaf in part.first_leaves:
                    key = TaskKey(leaf, target, progress.round)
                    verify = progress.plan.nodes[leaf].verify
                    yield Ask(key, "before") if verify is not None and verify.before else Start(key)
        case _:
            pass


def _first_move(part: TaskPart, task: TaskState | None, now: float) -> Command:
    if task is not None and task.not_before is not None and task.not_before > now:
        return WakeAt(task.not_before)
    verify = part.node.verify
    new = task is None or not (task.attempts or task.checked_before)
    return Ask(part.key, "before") if new and verify is not None and verify.before else Start(part.key)


def _at_rest(progress: Progress, cancelling: bool) -> Command:
    """Nothing runs and nothing is to be started: the run ends or parks."""
    root, record = progress.root, progress.state.record
    if root.inner_severity == DOUBTFUL or (progress.doubts and root.standing == "open"):
        return Park("in_doubt")
    if record.final_status is not None:
        failed = any(standing == "failed" for standing in root.ended.values())
        return End("failed" if failed and record.final_status == "succeeded" else record.final_status)
    status: RunStatus = "succeeded"
    if cancelling:
        status = "cancelled"
    elif root.inner_severity == FAILING:
        status = "failed"
    elif root.standing == "open":
        return Park("waiting")
    return BeginFinally(status) if progress.plan.finals else End(status)
