"""What a turn costs, and a task in memory: it grows with the work, and not with its square."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest

from durun.model import event as ev
from durun.model.decide import (
    End,
    Start,
    decide,
)
from durun.model.plan import FanOutPolicy, Node, Share
from durun.model.progress import Progress
from durun.model.task import TaskKey, TaskState

# -- what it costs ----------------------------------------------------------------------------------------------


FAN = Node("f", fan="f", fan_out=FanOutPolicy(max_parallel=2))


def fan(policy: FanOutPolicy) -> Node:
    return FAN._replace(fan_out=policy)


def calls_of(work: Callable[[], None]) -> int:
    """How many functions of the model are called (generators: resumed) by the work."""
    count = 0

    def watch(frame: FrameType, kind: str, _: object) -> None:
        nonlocal count
        count += kind == "call" and "/durun/model/" in frame.f_code.co_filename

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def drive(run) -> None:
    """Let everything succeed, one task at a time."""
    while starts := [command for command in run.decide() if isinstance(command, Start)]:
        for command in starts:
            run.start(command.key.step, command.key.target)
        for command in starts:
            run.succeed(command.key.step, command.key.target)


def a_chain(new_run, length: int):
    return new_run([Node(f"s{i}", needs=(f"s{i - 1}",) if i else ()) for i in range(length)])


def a_crowd(new_run, size: int):
    return new_run([Node(f"s{i}") for i in range(size)])


def a_fan_out(new_run, size: int):
    run = new_run([FAN])
    run.targets("f", size)
    return run


def waves(new_run, size: int):
    run = new_run([fan(FanOutPolicy(max_parallel=4, serial=(Share(1), Share(3))))])
    run.targets("f", size)
    return run


def reopened(new_run, size: int):
    """Every target has failed, and is tried again after a resume."""
    run = new_run([fan(FanOutPolicy(max_parallel=2, max_failures=Share(100, percent=True)))])
    for name in run.targets("f", size):
        run.fail("f", name)
    for name in run.state.resolved["f", 0].index:
        run.state.fold(
            ev.Stamped(run.state.record.sequence + 1, 0.0, ev.TaskRetried(step="f", target=name, due=0.0, fresh=True))
        )
    run.session()
    return run


@pytest.mark.parametrize(
    ("make", "size"), [(a_chain, 200), (a_crowd, 300), (a_fan_out, 1500), (waves, 500), (reopened, 300)]
)
def test_cost_grows_with_the_work_and_not_with_its_square(new_run, make, size):
    small, large = make(new_run, size), make(new_run, 4 * size)
    once, four_times = calls_of(lambda: drive(small)), calls_of(lambda: drive(large))
    small.expect(End("succeeded"))
    large.expect(End("succeeded"))
    assert four_times < 4.2 * once


@pytest.mark.fault(41)
def test_a_hundred_thousand_targets_are_taken_up_within_a_moment(new_run):
    run = new_run([FAN])
    names = run.targets("f", 100_000)
    done = TaskState(status="succeeded")
    run.state.tasks.update((TaskKey("f", name), done) for name in names[:-1])
    begun = time.process_time()
    progress = Progress(run.plan, run.state)
    assert decide(progress, 0.0) == [Start(TaskKey("f", names[-1]))]
    assert time.process_time() - begun < 1.5  # 0.15 s where nothing else runs


@pytest.mark.fault(41)
def test_a_target_that_is_done_takes_little_memory(new_run):
    run, size = a_fan_out(new_run, 4000), 4000
    tracemalloc.start()
    for number in range(size):
        run.start("f", f"t{number}")
        run.succeed("f", f"t{number}")
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / size < 1000  # bytes, without the texts that the attempt names
