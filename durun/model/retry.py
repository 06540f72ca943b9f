"""When an attempt is tried again that failed, or whose doubt ended well."""

from __future__ import annotations

import zlib

from durun.model.plan import Node, Retry
from durun.model.task import TaskKey, TaskState


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


def pause(node: Node, key: TaskKey, task: TaskState, run_id: str) -> float:
    """Seconds between the newest attempt, which did not go well, and the next one."""
    return delay(node.retry, task.failures + task.repeats, f"{run_id}/{key}")


def may_start_at(node: Node, key: TaskKey, task: TaskState, run_id: str) -> float | None:
    """When a pending task may be started, in seconds since the epoch; None: at once.

    What is repeated after a doubt pauses as after a failure, from the end of the attempt: neither a crash nor a full
    house makes it wait again. It does not wait until the other side has forgotten its key.
    """
    attempt = task.attempt
    if attempt is None or attempt.status != "in_doubt" or not task.repeats:
        return task.not_before
    ended_at = task.changed_at if attempt.ended_at is None else attempt.ended_at
    due = ended_at + pause(node, key, task, run_id)
    known = known_until(node, task)
    return due if known is None or due < known else None


def known_until(node: Node, task: TaskState) -> float | None:
    """When the other side forgets the key of the newest attempt, by `idempotent: {ttl}`; None: never."""
    if node.idempotent_ttl is None:
        return None
    return next(one.started_at for one in task.attempts if one.key == task.attempts[-1].key) + node.idempotent_ttl


def delay(retry: Retry, failures: int, seed: str) -> float:
    """Seconds to wait after the `failures`-th attempt in a row that did not go well (from 1).

    Exponential, capped, with the jitter drawn from `seed`, so that the same history waits the same time.
    """
    base = retry.delay
    for _ in range(min(failures - 1, 64)):
        base = min(retry.max_delay, base * retry.backoff)
    base = min(retry.max_delay, base)
    share = zlib.crc32(f"{seed}/{failures}".encode()) / 0xFFFFFFFF
    return base * (1 + retry.jitter * share)
