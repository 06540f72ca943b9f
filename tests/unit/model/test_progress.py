"""What is open and what may start: special cases of groups, fan-outs, doubts and resumes."""

from __future__ import annotations

import pytest

from durun.model import event as ev
from durun.model.decide import (
    Ask,
    BeginFinally,
    End,
    GiveUpOn,
    Park,
    Repeat,
    Retry,
    Start,
    Stop,
    StopWaiting,
    WakeAt,
)
from durun.model.plan import FanOutPolicy, Node, Share, VerifyPolicy
from durun.model.plan import Retry as RetryPolicy
from durun.model.task import TaskKey

from .fans import cancel

# -- order, groups, forgiveness ---------------------------------------------------------------------------------


def test_steps_start_in_the_order_of_the_file_however_they_became_ready(new_run):
    run = new_run([Node("a"), Node("b", needs=("a",)), Node("c")], max_parallel=1)
    run.start("a")
    run.succeed("a")
    assert run.starts() == ["b"]


def test_a_failure_stops_everything_new_and_what_runs_is_finished(new_run):
    run = new_run([Node("a"), Node("b"), Node("c", needs=("b",))])
    run.start("a")
    run.start("b")
    run.fail("a")
    run.expect()
    run.succeed("b")
    run.expect(End("failed"))


def test_what_waits_in_finally_is_over_with_its_round(new_run):
    inner = [Node(name, parent="tidy", final=True) for name in ("x", "y")]
    run = new_run([Node("a"), Node("tidy", children=("x", "y"), final=True), *inner])
    run.start("a")
    run.succeed("a")
    run.fold(ev.FinallyStarted(round=1, status="succeeded", tasks=2))
    run.fold(ev.TaskWaiting(step="x", kind="time", until=90.0, round=1))
    run.start("y", round_=1)
    run.fail("y", round_=1)
    run.expect(StopWaiting(TaskKey("x", None, 1), "the run is over"))
    run.fold(ev.TaskCancelled(step="x", reason="the run is over", round=1))
    run.expect(End("failed"))


def test_a_step_that_waits_beside_a_failure_waits_on_when_the_run_is_taken_up_again(new_run):
    run = new_run([Node("a"), Node("b")])
    run.fold(ev.TaskWaiting(step="a", kind="time", until=90.0))
    run.start("b")
    run.fail("b")
    run.expect(End("failed"))


def test_nothing_waits_in_a_run_that_is_over_for_ever(new_run):
    inner = [Node(name, parent="group") for name in ("x", "y")]
    run = new_run([Node("group", children=("x", "y"), continue_on_error=True), *inner])
    run.fold(ev.TaskWaiting(step="x", kind="time", until=90.0))
    run.start("y")
    run.fail("y")
    run.expect(StopWaiting(TaskKey("x"), "the run is over"))
    run.fold(ev.TaskCancelled(step="x", reason="the run is over"))
    run.expect(End("succeeded"))


def test_a_forgiven_failure_counts_as_done(new_run):
    run = new_run([Node("a", continue_on_error=True), Node("b", needs=("a",))])
    run.fail("a")
    assert run.starts() == ["b"]
    run.fold(ev.TaskSkipped(step="b", reason="if"))
    run.expect(End("succeeded"))


def test_a_forgiving_group_waits_for_what_runs_in_it(new_run):
    group = Node("g", children=("a", "b", "c"), continue_on_error=True)
    run = new_run([group, *(Node(name, parent="g") for name in "abc"), Node("d", needs=("g",))])
    run.start("a")
    run.start("b")
    run.fail("a")
    run.expect()
    run.succeed("b")
    assert run.starts() == ["d"]


def test_something_that_begins_in_a_group_that_just_ended_reopens_it(new_run):
    group = Node("g", children=("a", "b"), continue_on_error=True)
    run = new_run([group, Node("a", parent="g"), Node("b", parent="g"), Node("c"), Node("d", needs=("g", "c"))])
    run.fail("a", retryable=False)  # its `if` failed, and `b` was to be started in the same turn
    run.start("b")
    run.start("c")
    run.succeed("c")
    assert run.starts() == []
    run.succeed("b")
    assert run.starts() == ["d"]


def test_nobody_forgives_a_doubt(new_run):
    run = new_run([Node("a", continue_on_error=True), Node("b", needs=("a",))])
    run.start("a")
    run.doubt("a")
    run.expect(Park("in_doubt"))


def test_a_group_does_not_end_over_a_doubt_that_its_fan_out_put_up_with(new_run):
    policy = FanOutPolicy(max_parallel=2, max_failures=Share(1))
    nodes = [
        Node("g", children=("a", "f"), continue_on_error=True),
        Node("a", parent="g"),
        Node("f", parent="g", fan="f", fan_out=policy),
        Node("z", needs=("g",)),
        Node("v"),
        Node("w", needs=("v",)),
    ]
    run = new_run(nodes)
    run.start("v")
    run.targets("f", 3)
    run.start("f", "t0")
    run.doubt("f", "t0")
    run.fail("a")
    run.succeed("v")
    run.expect(Park("in_doubt"))
    run.settle("f", "done", "t0")
    assert run.starts() == ["z", "w"]


# -- doubts, retries, cancel ------------------------------------------------------------------------------------


def test_a_question_that_died_with_its_session_is_asked_again(new_run):
    run = new_run([Node("a", verify=VerifyPolicy(before=True), on_in_doubt="verify")])
    run.ask("a", "before")
    run.session()
    run.expect(Ask(TaskKey("a"), "before"))
    run.start("a")
    run.doubt("a")
    run.ask("a", "in_doubt")
    run.expect()
    run.session()
    run.expect(Ask(TaskKey("a"), "in_doubt"))


def test_questions_keep_max_parallel(new_run):
    nodes = [Node(name, verify=VerifyPolicy(), on_in_doubt="verify") for name in "abcd"]
    run = new_run(nodes, max_parallel=3)
    for name in "abcd":
        run.start(name)
        run.doubt(name)
    assert len(run.decide()) == 3


def test_what_may_be_done_about_doubts(new_run):
    run = new_run([Node("a", idempotent=True, on_in_doubt="rerun"), Node("b", on_in_doubt="fail"), Node("c")])
    for name in "abc":
        run.start(name)
        run.doubt(name)
    run.expect(Repeat(TaskKey("a"), "idempotent"), GiveUpOn(TaskKey("b")))


def test_a_retry_is_due_from_its_failure_however_late_it_is_decided(new_run):
    policy = RetryPolicy(max_attempts=2, delay=10.0, jitter=0.0)
    run = new_run([Node("a", retry=policy)])
    run.start("a")
    run.fail("a", exit_code=1)
    run.now = 300.0
    run.session()
    run.expect(Retry(TaskKey("a"), 10.0))
    run.fold(ev.TaskRetried(step="a", due=310.0))
    run.expect(WakeAt(310.0))
    run.now = 310.0
    run.expect(Start(TaskKey("a")))


def test_what_is_repeated_after_a_doubt_pauses_like_a_retry_and_longer_each_time(new_run):
    policy = RetryPolicy(delay=10.0, backoff=3.0, jitter=0.0)
    run = new_run([Node("a", retry=policy, verify=VerifyPolicy(), on_in_doubt="verify")])
    for pause in (10.0, 30.0, 90.0):
        run.start("a")
        ended_at = run.now
        run.doubt("a")
        run.now += 1  # as long as verify takes
        run.ask("a", "in_doubt")
        run.answer("a", "in_doubt", "not_done")
        run.expect(Repeat(TaskKey("a"), "verify"))
        run.fold(ev.TaskRepeated(step="a", proof="verify"))
        run.expect(WakeAt(ended_at + pause))
        run.session()  # a crash does not make it wait again
        run.expect(WakeAt(ended_at + pause))
        run.now = ended_at + pause
        run.expect(Start(TaskKey("a")))


def test_failures_and_repeats_are_one_row_of_attempts_that_did_not_go_well(new_run):
    policy = RetryPolicy(max_attempts=2, delay=10.0, backoff=3.0, jitter=0.0)
    run = new_run([Node("a", retry=policy, idempotent=True, on_in_doubt="rerun")])
    run.start("a")
    run.doubt("a")
    run.fold(ev.TaskRepeated(step="a", proof="idempotent"))
    run.start("a")
    run.fail("a", exit_code=1)
    run.expect(Retry(TaskKey("a"), 30.0))


def test_no_pause_outlasts_the_key_that_makes_a_repeat_safe(new_run):
    policy = RetryPolicy(delay=10.0, jitter=0.0)
    run = new_run([Node("a", retry=policy, idempotent=True, idempotent_ttl=9.0, on_in_doubt="rerun")])
    run.start("a")
    run.doubt("a")
    run.fold(ev.TaskRepeated(step="a", proof="idempotent"))
    run.expect(Start(TaskKey("a")))


def test_what_an_operator_settles_as_not_done_does_not_pause(new_run):
    run = new_run([Node("a", idempotent=True, on_in_doubt="rerun")])
    for _ in range(2):
        run.start("a")
        run.doubt("a")
        run.fold(ev.TaskRepeated(step="a", proof="idempotent"))
    run.start("a")
    run.doubt("a")
    run.settle("a", "not_done")
    run.expect(Start(TaskKey("a")))


def test_an_operator_who_says_failed_is_not_overruled_by_the_retry_policy(new_run):
    run = new_run([Node("a", retry=RetryPolicy(max_attempts=3))])
    run.start("a")
    run.doubt("a")
    run.settle("a", "failed")
    run.expect(End("failed"))


def test_a_cancel_stops_attempts_and_waits_for_the_verify_that_ends_a_doubt(new_run):
    run = new_run([Node(name, verify=VerifyPolicy(), on_in_doubt="verify") for name in "abcd"])
    run.start("a")
    run.start("b")
    run.doubt("b")
    run.ask("b", "in_doubt")
    run.ask("c", "before")
    run.start("d")
    run.ask("d", "after")
    cancel(run)
    run.expect(Stop(TaskKey("a")), Stop(TaskKey("c")))


def test_a_cancelled_run_with_a_doubt_parks_and_ends_cancelled_when_it_is_settled(new_run):
    run = new_run([Node("a"), Node("b", needs=("a",)), Node("z", final=True)])
    run.start("a")
    run.doubt("a")
    cancel(run)
    run.expect(Park("in_doubt"))
    run.settle("a", "not_done")
    run.expect(BeginFinally("cancelled"))


# -- finally ----------------------------------------------------------------------------------------------------


def test_finally_steps_run_to_the_end_whatever_fails_and_spoil_a_success(new_run):
    run = new_run([Node("a"), Node("y", final=True), Node("z", final=True, needs=("y",))])
    run.start("a")
    run.succeed("a")
    run.expect(BeginFinally("succeeded"))
    run.fold(ev.FinallyStarted(round=1, status="succeeded", tasks=2))
    run.fail("y", None, 1)
    run.expect(Start(TaskKey("z", None, 1)))
    run.start("z", None, 1)
    cancel(run)
    run.expect()
    run.succeed("z", None, 1)
    run.expect(End("failed"))


@pytest.mark.fault(55)
def test_a_new_round_runs_finally_again(new_run):
    run = new_run([Node("a"), Node("z", final=True)])
    run.fail("a")
    run.fold(ev.FinallyStarted(round=1, status="failed", tasks=1))
    run.start("z", None, 1)
    run.succeed("z", None, 1)
    run.fold(ev.RunEnded(status="failed", exit_code=1))
    run.session()
    run.fold(ev.RoundStarted(round=2, by={}), ev.TaskRetried(step="a", due=0.0, fresh=True))
    assert run.starts() == ["a"]
    run.start("a")
    run.succeed("a")
    run.expect(BeginFinally("succeeded"))
    run.fold(ev.FinallyStarted(round=2, status="succeeded", tasks=1))
    run.expect(Start(TaskKey("z", None, 2)))
