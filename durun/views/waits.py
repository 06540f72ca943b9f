"""What a task waits for, in a few words: whom, until when; or when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from durun.model.people import wanted
from durun.model.plan import FREE_REPEATS, Node
from durun.model.retry import may_start_at
from durun.model.task import TaskKey, TaskState, Waiting
from durun.model.tuples import NamedTuple
from durun.views.text import counted, duration, one_line


class Held(NamedTuple):
    """A task that waits, or is to be tried again; `since`: from when on."""

    key: TaskKey
    task: TaskState
    node: Node
    since: float
    run_id: str


def held_text(held: Held, now: float) -> str:
    """`waits for alice or bob until tomorrow 14:02, since 14:02`; `attempt 2 of 5 in 7s (exit code 1)`."""
    since, waiting = held.since, held.task.waiting
    if waiting is None:
        return _again(held, now)
    until = "" if waiting.until is None else f" until {day_time(waiting.until, now)}"
    match waiting.kind:
        case "time":
            left = "" if waiting.until is None else f", {duration(waiting.until - now)} left"
            return f"waits{until}{left}"
        case "poll":
            asked = f"not yet, asked {counted(waiting.times, 'time')}" if waiting.times else "is asked whether it is so"
            return f"{asked};{until}" if until else asked
        case "manual":
            return f"waits for somebody to do it{until}, since {day_time(since, now)}"
        case "approval":
            return f"waits for {_whom(waiting)}{until}, since {day_time(since, now)}"


def _again(held: Held, now: float) -> str:
    """When it is tried again, and why; `repeat 1 of 5` where its doubt is over, which is no attempt that failed."""
    task, attempt = held.task, held.task.attempt
    reason = f" ({one_line(attempt.reason)})" if attempt is not None and attempt.reason else ""
    wait = (may_start_at(held.node, held.key, task, held.run_id) or now) - now
    when = f"in {duration(wait)}" if wait > 0 else "is due"
    if attempt is not None and attempt.status == "in_doubt":
        return f"repeat {task.repeats} of {FREE_REPEATS} {when}{reason}"
    return f"attempt {task.failures + 1} of {held.node.retry.max_attempts} {when}{reason}"


def _whom(waiting: Waiting) -> str:
    """Who may still approve: `alice or bob`, `2 of alice, bob, carol (1 has approved)`."""
    names, needed = [one_line(str(name)) for name in waiting.asked["approvers"]], wanted(waiting)
    if needed < 2:
        return " or ".join(names)
    said = len(waiting.decisions)
    return f"{needed} of {', '.join(names)}" + (f" ({said} approved)" if said else "")


def day_time(seconds: float, now: float) -> str:
    """`14:02`, `tomorrow 14:02`, `2026-12-24 14:02`, in the zone of the terminal."""
    at, today = datetime.fromtimestamp(seconds).astimezone(), datetime.fromtimestamp(now).astimezone().date()
    days = {today: "", today + timedelta(days=1): "tomorrow ", today - timedelta(days=1): "yesterday "}
    return f"{days.get(at.date(), f'{at:%Y-%m-%d} ')}{at:%H:%M}"
