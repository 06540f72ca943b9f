"""What a task waits for, in a few words: whom, until when; or when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from durun.model.people import wanted
from durun.model.plan import Node
from durun.model.task import TaskState, Waiting
from durun.views.text import counted, duration, one_line


def held_text(task: TaskState, node: Node, since: float, now: float) -> str:
    """`waits for alice or bob until tomorrow 14:02, since 14:02`; `attempt 2 of 5 in 7s (exit code 1)`."""
    waiting = task.waiting
    if waiting is None:
        attempt = task.attempt
        reason = f" ({one_line(attempt.reason)})" if attempt is not None and attempt.reason else ""
        wait = (task.not_before or now) - now
        when = f"in {duration(wait)}" if wait > 0 else "is due"
        return f"attempt {task.failures + 1} of {node.retry.max_attempts} {when}{reason}"
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
