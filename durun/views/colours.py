"""Statuses in text that is laid out already, in the colours of the live view. Without them the text says the same."""

from __future__ import annotations

from durun.model.status import TASK_STATUSES, RunStatus, TaskStatus, spoken

STYLES: dict[TaskStatus, str] = {
    "pending": "dim",
    "skipped": "dim",
    "waiting": "yellow",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "in_doubt": "bold magenta",
    "rolled_back": "dim",
}
"""Of each status the style, in rich's words."""

_LIKE: dict[RunStatus | TaskStatus, TaskStatus] = {
    **{status: status for status in TASK_STATUSES},
    "interrupted": "waiting",
    "rolling_back": "running",
    "rollback_failed": "failed",
}
"""The status of a task whose colour each one has."""


def with_status(line: str, status: RunStatus | TaskStatus, start: int) -> str:
    """The line with the status in its colour, if that stands there from column `start` on."""
    word = spoken(status)
    if not line.startswith(word, start):
        return line
    from rich.color import ColorSystem
    from rich.style import Style

    painted = Style.parse(STYLES[_LIKE[status]]).render(word, color_system=ColorSystem.STANDARD)
    return f"{line[:start]}{painted}{line[start + len(word) :]}"


def with_first_status(line: str) -> str:
    """The line of a step or a target, in which the status comes first, with that in its colour."""
    start = len(line) - len(line.lstrip())
    found = [status for status in _LIKE if line.startswith(f"{spoken(status)} ", start)]
    return with_status(line, found[0], start) if found else line
