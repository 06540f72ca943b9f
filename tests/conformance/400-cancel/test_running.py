import os

import pytest


@pytest.fixture
def wait_for_step(operator):
    up, down = operator.fifo("up"), operator.fifo("down")
    kept = os.open(down, os.O_RDWR)
    yield lambda: up.read_text()
    os.close(kept)


def test_what_runs_is_stopped_and_an_idempotent_step_is_forgotten(operator, wait_for_step):
    run = operator.start("run", "running.yaml")
    assert wait_for_step() == "up\n"
    said = operator("cancel", "@last", "--reason", "changed my mind")
    # The run's own process may be so quick that it is over before the command has looked who drives it.
    assert "cancel asked for" in said.out or "cancelled" in said.out
    assert run.wait() == 12
    assert operator.read("effects") == "begun\ntold\ntidy cancelled\n"
    shown = operator.show()
    assert (shown["status"], shown["exit_code"], shown["cancel_requested"]) == ("cancelled", 12, True)
    assert operator.tasks()["safe", None]["status"] in ("cancelled", "failed")


def test_what_is_not_idempotent_is_in_doubt_and_the_last_settle_ends_it(operator, wait_for_step):
    run = operator.start("run", "running.yaml", "-i", "safe=false")
    wait_for_step()
    # As above: whoever finds the run parked already tells of the doubt itself.
    assert operator("cancel", "@last", "--reason", "changed my mind", code=None).code in (0, 3)
    assert run.wait() == 3
    assert operator.read("effects") == "begun\ntold\n"
    shown = operator.show()
    assert (shown["status"], shown["cancel_requested"]) == ("in_doubt", True)
    operator("settle", "@last", "unsafe", "--not-done", "--reason", "looked")
    assert operator.show()["status"] == "cancelled"
    assert operator.read("effects") == "begun\ntold\ntidy cancelled\n"
