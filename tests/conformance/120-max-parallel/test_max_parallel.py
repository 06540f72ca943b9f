"""The steps say that they run through one pipe and wait at another, so that every peak is seen and none is timed."""

import contextlib
import os

import pytest


class Gate:
    def __init__(self, operator):
        self._operator = operator
        self._up = os.open(operator.fifo("up"), os.O_RDWR)
        self._down = os.open(operator.fifo("down"), os.O_RDWR)
        self._said = b""

    def arrivals(self, count):
        """Wait until that many more steps run."""
        found = []
        while len(found) < count:
            while b"\n" not in self._said:
                self._said += os.read(self._up, 4096)
            line, _, self._said = self._said.partition(b"\n")
            found.append(line.decode())
        return found

    def none_more(self):
        os.set_blocking(self._up, False)
        with contextlib.suppress(BlockingIOError):
            assert os.read(self._up, 4096) + self._said == b""
        os.set_blocking(self._up, True)

    def running(self):
        return self._operator.show()["task_counts"]["running"]

    def let_go(self, count):
        os.write(self._down, b"\n" * count)

    def close(self):
        os.close(self._up)
        os.close(self._down)


@pytest.fixture
def gate(operator):
    made = Gate(operator)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("runbook", "tasks", "peak"), [("runbook.yaml", 6, 3), ("default.yaml", 3, 1), ("whole-run.yaml", 4, 2)]
)
def test_as_many_as_it_says_run_at_once_and_never_more(operator, gate, runbook, tasks, peak):
    process = operator.start("run", runbook)
    gate.arrivals(peak)
    for left in range(tasks - peak, -1, -1):
        # The intent is recorded before anything is started, so what is not recorded as running does not run.
        assert gate.running() == min(peak, left + peak)
        gate.none_more()
        gate.let_go(1)
        if left:
            gate.arrivals(1)
    gate.let_go(peak - 1)
    assert process.wait() == 0
    assert operator.show()["task_counts"]["succeeded"] == tasks


def test_chains_of_a_group_count_as_one_each(operator, gate):
    process = operator.start("run", "groups.yaml")
    assert sorted(gate.arrivals(2)) == ["a", "b"]
    assert gate.running() == 2
    gate.none_more()
    gate.let_go(1)
    assert gate.arrivals(1)[0] in ("a", "b")
    gate.let_go(5)
    assert process.wait() == 0
    assert operator.show()["task_counts"]["succeeded"] == 6
