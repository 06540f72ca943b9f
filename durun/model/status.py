"""The words for the states of tasks and runs. They are stored, shown and scripted against: strings, never numbers."""

from __future__ import annotations

from typing import Literal

TaskStatus = Literal[
    "pending", "skipped", "waiting", "running", "succeeded", "failed", "cancelled", "in_doubt", "rolled_back"
]
RunStatus = Literal[
    "pending",
    "running",
    "waiting",
    "in_doubt",
    "interrupted",
    "rolling_back",
    "succeeded",
    "failed",
    "cancelled",
    "rolled_back",
    "rollback_failed",
]
How = Literal["ran", "adopted", "verified", "found", "settled"]
"""How a task came to its end: an attribute, not a state."""

Answer = Literal["done", "not_done", "unknown"]
"""What a `verify` says."""

TASK_STATUSES: tuple[TaskStatus, ...] = (
    "pending",
    "skipped",
    "waiting",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "in_doubt",
    "rolled_back",
)
WORST_FIRST: tuple[TaskStatus, ...] = (
    "in_doubt",
    "failed",
    "cancelled",
    "running",
    "waiting",
    "pending",
    "succeeded",
    "rolled_back",
    "skipped",
)
"""Of several tasks together, the first of these that any of them is."""

NOTABLE: frozenset[TaskStatus] = frozenset({"in_doubt", "failed", "waiting", "running"})
"""What explains where a run stands."""

RUN_STATUSES: tuple[RunStatus, ...] = (
    "pending",
    "running",
    "waiting",
    "in_doubt",
    "interrupted",
    "rolling_back",
    "succeeded",
    "failed",
    "cancelled",
    "rolled_back",
    "rollback_failed",
)
DRIVEN: frozenset[RunStatus] = frozenset({"pending", "running", "rolling_back"})
"""What the journal says of a run as long as a process drives it, and still says when that process was killed."""
FINAL: frozenset[RunStatus] = frozenset({"succeeded", "cancelled", "rolled_back"})
"""Runs that can't be resumed."""
ENDED: frozenset[RunStatus] = FINAL | {"failed", "rollback_failed"}
"""Runs at their end; `failed` and `rollback_failed` can be resumed."""
RESUMABLE: frozenset[RunStatus] = ENDED - FINAL
"""Runs at their end that an operator's resume takes up again."""

NotifyOn = Literal["failed", "waiting", "in_doubt", "succeeded"]
"""What somebody can be told of a run."""


def spoken(word: str) -> str:
    """A stored word as it is said: `in_doubt` is `in doubt`."""
    return word.replace("_", " ")
