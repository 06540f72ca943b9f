"""From how a process ended to what that means: the arrows of a running task."""

from __future__ import annotations

import pytest

from durun.model.event import TaskCancelled, TaskFailed, TaskInDoubt, key_of
from durun.model.outcome import Exit, ExitCodes, answer_of, exit_code_of, judge
from durun.model.plan import Node
from durun.model.task import TaskKey, TaskState

KEY = TaskKey("a", "t", 0)
PLAIN, IDEMPOTENT = Node("a"), Node("a", idempotent=True)
CODES = ExitCodes(ok=(0, 9), ambiguous=(5,))


@pytest.mark.parametrize(
    ("node", "ended", "event", "word"),
    [
        (PLAIN, Exit("exit", 0), None, ""),
        (PLAIN, Exit("exit", 9), None, ""),
        (PLAIN, Exit("exit", 1), TaskFailed, "exit"),
        (PLAIN, Exit("exit", 75), TaskFailed, "exit"),
        (PLAIN, Exit("exit", 76), TaskInDoubt, "can't tell"),
        (PLAIN, Exit("exit", 5), TaskInDoubt, "can't tell"),
        (IDEMPOTENT, Exit("exit", 76), TaskInDoubt, "can't tell"),
        (PLAIN, Exit("exit", 76, said="no answer"), TaskInDoubt, "no answer"),
        (PLAIN, Exit("exit", signal=9), TaskInDoubt, "signal 9"),
        (PLAIN, Exit("timeout", signal=15), TaskInDoubt, "timeout"),
        (PLAIN, Exit("timeout", 0), TaskInDoubt, "timeout"),
        (PLAIN, Exit("cancel", signal=15), TaskInDoubt, "cancel"),
        (IDEMPOTENT, Exit("exit", signal=9), TaskFailed, "signal"),
        (IDEMPOTENT, Exit("timeout", signal=15), TaskFailed, "timeout"),
        (IDEMPOTENT, Exit("cancel", signal=15), TaskCancelled, "cancel"),
        (IDEMPOTENT, Exit("timeout", leftover=(7, 8)), TaskInDoubt, "7, 8"),
        (PLAIN, Exit("exit", 0, leftover=(7,)), TaskInDoubt, "7"),
        (PLAIN, Exit("not_started", error="no such command: x"), TaskFailed, "not_started"),
    ],
)
@pytest.mark.fault(15, 16, 46, 48)
def test_what_an_end_makes_of_an_attempt(node, ended, event, word):
    found = judge(KEY, node, CODES, ended, "ran")
    if event is None:
        assert found is None
        return
    assert type(found) is event
    assert key_of(found) == KEY
    assert word in (found.code if event is TaskFailed else found.reason)


def test_a_process_that_lives_on_bars_every_way_out():
    found = judge(KEY, PLAIN, CODES, Exit("cancel", leftover=(7, 8)), "adopted")
    assert isinstance(found, TaskInDoubt)
    assert (found.gone, found.pid, found.how) == (False, 7, "adopted")


def test_what_could_not_be_started_is_not_retried():
    found = judge(KEY, PLAIN, CODES, Exit("not_started", error="no such command: x"), "ran")
    assert isinstance(found, TaskFailed)
    assert (found.retryable, found.reason) == (False, "no such command: x")


@pytest.mark.parametrize(
    ("ended", "answer"),
    [
        (Exit("exit", 0), "done"),
        (Exit("exit", 3), "done"),
        (Exit("exit", 2), "not_done"),
        (Exit("exit", 1), "unknown"),
        (Exit("exit", 75), "unknown"),
        (Exit("exit", signal=9), "unknown"),
        (Exit("timeout", signal=15), "unknown"),
        (Exit("timeout", 0), "unknown"),
        (Exit("cancel", 2), "unknown"),
        (Exit("not_started", error="no such command"), "unknown"),
    ],
)
@pytest.mark.fault(17)
def test_what_a_verify_says(ended, answer):
    found, reason = answer_of(ended, done_on=(0, 3), not_done_on=(2,))
    assert found == answer
    assert reason


@pytest.mark.parametrize(
    ("status", "code"), [("succeeded", 0), ("failed", 1), ("in_doubt", 3), ("waiting", 5), ("cancelled", 12)]
)
def test_the_exit_code_of_a_run(status, code):
    assert exit_code_of(status, {}) == code


def test_a_run_that_failed_for_want_of_a_command_says_so():
    tasks = {KEY: TaskState(status="failed", code="exit"), TaskKey("b"): TaskState(status="failed", code="not_started")}
    assert exit_code_of("failed", tasks) == 4
    assert exit_code_of("in_doubt", tasks) == 3


def test_what_a_process_says_of_its_end_is_the_reason():
    failed = judge(KEY, PLAIN, CODES, Exit("exit", 4, said="404 Not Found"), "ran")
    assert (failed.code, failed.reason, failed.exit_code) == ("exit", "404 Not Found", 4)
    assert answer_of(Exit("exit", 0, said="200 OK"), (0,), (1,)) == ("done", "200 OK")
    assert answer_of(Exit("exit", 1, said="404"), (0,), (1,)) == ("not_done", "404")
    assert answer_of(Exit("exit", 2, said="500"), (0,), (1,)) == ("unknown", "500")
