"""When a failed attempt is tried again."""

from __future__ import annotations

import zlib

from durun.model.plan import Node, Retry
from durun.model.task import TaskState


def will_retry(node: Node, task: TaskState) -> bool:
    """Whether the retry policy has an attempt left for this failed task."""
    if task.status != "failed" or task.failures >= node.retry.max_attempts:
        return False
    codes = node.retry.on_exit_codes
    return codes is None or task.exit_code in codes or task.exit_code == NOTHING_HAPPENED


NOTHING_HAPPENED = 75
"""EX_TEMPFAIL of sysexits.h: the script says that nothing happened, and that it may be tried again."""

FOR_GOOD = 65
"""An action of a plugin says that it would fail again. (Of a script, it is an exit code like any.)"""

UNANSWERED = 74
"""A request was sent, and there is no answer: it may have had its effect, and may be sent again with the same key."""

AMBIGUOUS = 76
"""The script says that it can't tell whether its effect took place."""


def delay(retry: Retry, failures: int, seed: str) -> float:
    """Seconds to wait after the `failures`-th failure in a row (from 1).

    Exponential, capped, with the jitter drawn from `seed`, so that the same history waits the same time.
    """
    base = retry.delay
    for _ in range(min(failures - 1, 64)):
        base = min(retry.max_delay, base * retry.backoff)
    base = min(retry.max_delay, base)
    share = zlib.crc32(f"{seed}/{failures}".encode()) / 0xFFFFFFFF
    return base * (1 + retry.jitter * share)
