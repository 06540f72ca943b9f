"""What of a fan-out is open and what may start: max_parallel, waves, max_failures, doubts among its targets."""

from __future__ import annotations

import pytest

from durun.model import event as ev
from durun.model.decide import (
    Ask,
    End,
    Park,
    Resolve,
)
from durun.model.plan import FanOutPolicy, Node, Share, VerifyPolicy
from durun.model.plan import Retry as RetryPolicy
from durun.model.task import TaskKey

from .fans import chain_in_fan, fan

# -- fan-outs ---------------------------------------------------------------------------------------------------


def test_targets_are_asked_for_once(new_run):
    run = new_run([fan()])
    run.expect(Resolve(TaskKey("f")))
    run.ask("f", "targets")
    run.expect()
    run.session()
    run.expect(Resolve(TaskKey("f")))


def test_targets_that_cannot_be_had_fail_the_step_and_are_not_retried_by_policy(new_run):
    run = new_run([fan(retry=RetryPolicy(max_attempts=5))])
    run.fail("f")
    run.expect(End("failed"))
    run.fold(ev.TaskRetried(step="f", due=0.0, fresh=True))
    run.expect(Resolve(TaskKey("f")))


def test_a_skipped_fan_out_is_done(new_run):
    run = new_run([fan(), Node("b", needs=("f",))])
    run.fold(ev.TaskSkipped(step="f", reason="if"))
    assert run.starts() == ["b"]


def test_a_fan_out_without_targets_is_done(new_run):
    run = new_run([fan(), Node("b", needs=("f",))])
    run.targets("f", 0)
    assert run.starts() == ["b"]


def test_a_target_keeps_its_place_between_its_steps(new_run):
    run = new_run(chain_in_fan(FanOutPolicy(max_parallel=1)))
    run.targets("f", 2)
    run.start("x", "t0")
    run.succeed("x", "t0")
    assert run.starts() == ["y[t0]"]


def test_no_new_target_while_more_than_max_failures_stand(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=1, max_failures=Share(1)))])
    run.targets("f", 4)
    run.fail("f", "t0")
    assert run.starts() == ["f[t1]"]
    run.fail("f", "t1")
    run.expect(End("failed"))


def test_failures_within_the_limit_fail_the_step_at_its_end(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=1, max_failures=Share(1))), Node("b", needs=("f",))])
    run.targets("f", 2)
    run.fail("f", "t0")
    run.start("f", "t1")
    run.succeed("f", "t1")
    run.expect(End("failed"))


@pytest.mark.fault(45)
def test_max_failures_count_what_stands_failed_now_also_after_a_resume(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=1, max_failures=Share(1)))])
    run.targets("f", 4)
    run.fail("f", "t0")
    run.fail("f", "t1")
    run.fold(ev.TaskRetried(step="f", target="t1", due=0.0, fresh=True))
    run.session()
    assert run.starts() == ["f[t1]"]
    run.start("f", "t1")
    run.fail("f", "t1")
    assert run.starts() == []


def test_a_resume_with_many_failed_targets_keeps_max_parallel(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=2, max_failures=Share(100, percent=True)))])
    for name in run.targets("f", 6)[:5]:
        run.fail("f", name)
    for name in ("t0", "t2", "t3", "t4"):
        run.fold(ev.TaskRetried(step="f", target=name, due=0.0, fresh=True))
    run.session()
    assert run.starts() == ["f[t0]", "f[t2]"]
    run.start("f", "t0")
    assert run.starts() == ["f[t2]"]
    run.start("f", "t2")
    assert run.starts() == []
    run.succeed("f", "t0")
    assert run.starts() == ["f[t3]"]


def test_after_a_resume_the_targets_at_work_go_on_before_the_others(new_run):
    run = new_run(chain_in_fan(FanOutPolicy(max_parallel=1, max_failures=Share(9))))
    run.targets("f", 3)
    run.fail("x", "t0")
    run.start("x", "t1")
    run.fold(ev.TaskRetried(step="x", target="t0", due=0.0, fresh=True))
    run.session()
    assert run.starts() == []
    run.succeed("x", "t1")
    assert run.starts() == ["x[t0]"]


def test_a_wave_waits_for_every_target_of_the_wave_before(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=8, serial=(Share(1), Share(2))))])
    run.targets("f", 5)
    assert run.starts() == ["f[t0]"]
    run.start("f", "t0")
    run.succeed("f", "t0")
    assert run.starts() == ["f[t1]", "f[t2]"]
    run.start("f", "t1")
    run.start("f", "t2")
    run.succeed("f", "t2")
    assert run.starts() == []


def test_a_canary_that_is_tried_again_holds_back_the_later_waves(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=8, max_failures=Share(1), serial=(Share(1), Share(2))))])
    run.targets("f", 7)
    run.fail("f", "t0")
    for name in ("t1", "t2", "t3"):
        run.start("f", name)
        run.succeed("f", name)
    assert run.starts() == ["f[t4]"]
    run.fold(ev.TaskRetried(step="f", target="t0", due=0.0, fresh=True))
    run.session()
    assert run.starts() == ["f[t0]"]


def test_a_doubt_within_the_limit_lets_the_others_go_on_and_then_parks(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=1, max_failures=Share(1))), Node("b", needs=("f",))])
    run.targets("f", 2)
    run.start("f", "t0")
    run.doubt("f", "t0")
    assert run.starts() == ["f[t1]"]
    run.start("f", "t1")
    run.succeed("f", "t1")
    run.expect(Park("in_doubt"))


def test_a_run_with_a_doubt_within_the_limit_parks_also_when_another_step_failed(new_run):
    run = new_run([fan(FanOutPolicy(max_parallel=1, max_failures=Share(1))), Node("b")])
    run.targets("f", 3)
    run.start("f", "t0")
    run.doubt("f", "t0")
    run.fail("b")
    run.expect(Park("in_doubt"))


def test_verify_before_is_asked_for_each_new_target(new_run):
    run = new_run([fan(verify=VerifyPolicy(before=True))])
    run.targets("f", 3)
    run.expect(Ask(TaskKey("f", "t0"), "before"), Ask(TaskKey("f", "t1"), "before"))
    run.ask("f", "before", "t0")
    run.answer("f", "before", "unknown", "t0")
    assert run.starts() == ["f[t0]"]
