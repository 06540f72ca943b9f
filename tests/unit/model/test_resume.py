"""Which tasks get a fresh budget when a failed run is taken up again."""

from __future__ import annotations

from durun.model import event as ev
from durun.model.plan import FanOutPolicy, Node
from durun.model.resume import failed_tasks
from durun.model.task import TaskKey


def test_failed_tasks_that_nobody_forgives(new_run):
    run = new_run(
        [
            Node("plain"),
            Node("forgiven", continue_on_error=True),
            Node("group", children=("inner",), continue_on_error=True),
            Node("inner", parent="group"),
            Node("fan", fan="fan", fan_out=FanOutPolicy()),
            Node("soft", fan="soft", fan_out=FanOutPolicy(), continue_on_error=True),
            Node("last", final=True),
        ]
    )
    run.targets("fan", 2)
    run.targets("soft", 1)
    for step, target in [("plain", None), ("forgiven", None), ("inner", None), ("fan", "t1"), ("soft", "t0")]:
        run.fail(step, target)
    run.fold(ev.FinallyStarted(round=1, status="failed", tasks=1))
    run.fail("last", None, 1)
    assert failed_tasks(run.plan, run.state) == [TaskKey("plain"), TaskKey("fan", "t1")]


def test_a_fan_out_whose_targets_could_not_be_had_is_tried_again(new_run):
    run = new_run([Node("fan", fan="fan", fan_out=FanOutPolicy())])
    run.fail("fan")
    assert failed_tasks(run.plan, run.state) == [TaskKey("fan")]
