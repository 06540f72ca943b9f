"""The ways out of a doubt: what a step says, what its verify says, and nothing without a proof."""

from __future__ import annotations

import pytest

from durun.model.doubt import AskAt, AskNow, GiveUp, LeaveIt, RepeatIt, stuck, way_out
from durun.model.plan import FREE_REPEATS, Node, VerifyPolicy
from durun.model.task import Attempt, TaskState

SESSION, NOW = 3, 100.0
ASK, FAIL = Node("a"), Node("a", on_in_doubt="fail")
VERIFY = Node("a", on_in_doubt="verify", verify=VerifyPolicy())
SETTLE = Node("a", on_in_doubt="verify", verify=VerifyPolicy(settle=10.0))
BOTH = Node("a", on_in_doubt="verify", verify=VerifyPolicy(), idempotent=True)
RERUN = Node("a", on_in_doubt="rerun", idempotent=True)
TTL = Node("a", on_in_doubt="rerun", idempotent=True, idempotent_ttl=30.0)


def attempt(at: float = 90.0, key: str = "k") -> Attempt:
    return Attempt(1, 1, "n", 1, at, key, "r", status="in_doubt")


def doubt(answer=None, asked_in=SESSION, **more) -> TaskState:
    more = {"attempts": (attempt(),), "changed_at": 90.0, **more}
    return TaskState(status="in_doubt", answer=answer, asked_in=asked_in if answer else 0, **more)


@pytest.mark.parametrize(
    ("node", "task", "way"),
    [
        (ASK, doubt(), LeaveIt()),
        (FAIL, doubt(), GiveUp()),
        (FAIL, doubt(gone=False, pid=7), LeaveIt()),
        (FAIL, doubt(gone=False), LeaveIt()),
        (VERIFY, doubt(), AskNow()),
        (VERIFY, doubt(gone=False, pid=7), LeaveIt()),
        (VERIFY, doubt("unknown"), LeaveIt()),
        (VERIFY, doubt("unknown", asked_in=2), AskNow()),
        (VERIFY, doubt("not_done"), RepeatIt("verify")),
        (VERIFY, doubt("not_done", asked_in=2), AskNow()),
        (VERIFY, doubt("not_done", repeats=FREE_REPEATS), LeaveIt()),
        (SETTLE, doubt("not_done", answered_at=95.0, not_done_since=95.0), AskAt(105.0)),
        (SETTLE, doubt("not_done", answered_at=105.0, not_done_since=95.0), RepeatIt("verify")),
        (SETTLE, doubt("not_done", answered_at=95.0 + 9.9, not_done_since=95.0), AskAt(105.0)),
        (BOTH, doubt(), AskNow()),
        (BOTH, doubt("unknown"), RepeatIt("idempotent")),
        (RERUN, doubt(), RepeatIt("idempotent")),
        (RERUN, doubt(gone=False, pid=7), LeaveIt()),
        (RERUN, doubt(repeats=FREE_REPEATS), LeaveIt()),
        (TTL, doubt(), RepeatIt("idempotent")),
        (TTL, doubt(attempts=(attempt(70.0),)), RepeatIt("idempotent")),
        (TTL, doubt(attempts=(attempt(69.9),)), LeaveIt()),
        (TTL, doubt(attempts=(attempt(60.0), attempt(90.0))), LeaveIt()),
        (TTL, doubt(attempts=(attempt(60.0, "old"), attempt(90.0, "new"))), RepeatIt("idempotent")),
    ],
)
@pytest.mark.fault(17)
def test_the_way_out_of_a_doubt(node, task, way):
    assert way_out(node, task, SESSION, NOW) == way


def test_two_equal_answers_far_enough_apart_are_enough_whatever_the_fractions():
    since, settle = 0.1 + 0.2, 0.7
    node = Node("a", on_in_doubt="verify", verify=VerifyPolicy(settle=settle))
    task = doubt("not_done", not_done_since=since, answered_at=since + settle)
    assert way_out(node, task, SESSION, since + settle) == RepeatIt("verify")


def test_a_doubt_is_stuck_when_only_an_operator_can_tell():
    assert stuck(ASK, doubt(), SESSION)
    assert stuck(VERIFY, doubt("unknown"), SESSION)
    assert not stuck(VERIFY, doubt("unknown"), SESSION + 1)
    assert not stuck(RERUN, doubt(), SESSION)
    assert not stuck(FAIL, doubt(), SESSION)
