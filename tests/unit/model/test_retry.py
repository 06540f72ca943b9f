"""When a failed attempt is tried again, and after how long."""

from __future__ import annotations

import pytest

from durun.model.apply import FINAL_FAILURE
from durun.model.plan import Node, Retry
from durun.model.retry import delay, will_retry
from durun.model.task import TaskState


@pytest.mark.parametrize(
    ("retry", "status", "failures", "exit_code", "expected"),
    [
        (Retry(), "failed", 1, 1, False),
        (Retry(max_attempts=2), "failed", 1, 1, True),
        (Retry(max_attempts=2), "failed", 1, None, True),
        (Retry(max_attempts=2), "failed", 2, 1, False),
        (Retry(max_attempts=2), "failed", FINAL_FAILURE, 1, False),
        (Retry(max_attempts=2), "in_doubt", 1, 76, False),
        (Retry(max_attempts=2), "cancelled", 1, None, False),
        (Retry(max_attempts=3, on_exit_codes=(7,)), "failed", 1, 7, True),
        (Retry(max_attempts=3, on_exit_codes=(7,)), "failed", 1, 8, False),
        (Retry(max_attempts=3, on_exit_codes=(7,)), "failed", 1, None, False),
        (Retry(max_attempts=3, on_exit_codes=(7,)), "failed", 1, 75, True),
        (Retry(max_attempts=1), "failed", 1, 75, False),
    ],
)
def test_who_is_tried_again(retry, status, failures, exit_code, expected):
    task = TaskState(status=status, failures=failures, exit_code=exit_code)
    assert will_retry(Node("a", retry=retry), task) is expected


def test_delays_grow_to_their_cap():
    retry = Retry(delay=2, backoff=3, max_delay=50, jitter=0)
    assert [delay(retry, failures, "s") for failures in (1, 2, 3, 4, 5, 1000)] == [2, 6, 18, 50, 50, 50]


def test_a_first_delay_above_the_cap_is_capped():
    assert delay(Retry(delay=500, max_delay=50, jitter=0), 1, "s") == 50


@pytest.mark.parametrize("backoff", [0.0, 0.5, 1.0, 1e300])
def test_no_backoff_overflows(backoff):
    assert 0 <= delay(Retry(delay=1, backoff=backoff, max_delay=50, jitter=0), 10**6, "s") <= 50


def test_jitter_adds_up_to_its_share_and_is_the_same_again():
    retry = Retry(delay=100, jitter=0.5, max_delay=1000)
    delays = [delay(retry, 1, f"seed {number}") for number in range(200)]
    assert delays == [delay(retry, 1, f"seed {number}") for number in range(200)]
    assert 100 <= min(delays) < 110
    assert 140 < max(delays) <= 150
