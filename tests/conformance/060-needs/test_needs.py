def test_steps_that_do_not_need_each_other_are_run_side_by_side(operator):
    operator.fifo("pipe")
    operator("run", "side-by-side.yaml")
    assert operator.read("effects") == "left met right\nboth\n"


def test_after_a_failure_nothing_new_is_started_and_what_runs_is_finished(operator):
    operator("run", "failing.yaml", code=1)
    assert operator.read("effects") == "failed\nbeside\n"
    tasks = operator.tasks()
    assert tasks["beside", None]["status"] == "succeeded"
    assert ("after_beside", None) not in tasks or tasks["after_beside", None]["status"] == "pending"


def test_a_step_waits_for_what_it_needs_and_for_nothing_else(operator):
    operator.fifo("from_c")
    operator("run", "runbook.yaml")
    assert operator.read("effects") == "a\nc\nb\nd\n"
