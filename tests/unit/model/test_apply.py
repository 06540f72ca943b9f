"""What an event does to a task, and the events that a task's state refuses."""

from __future__ import annotations

import pytest

from durun.model import event as ev
from durun.model.apply import FINAL_FAILURE, IllegalTransition, apply
from durun.model.event import Stamped
from durun.model.plan import FanOutPolicy, Node
from durun.model.state import RunState
from durun.model.task import Target, TaskKey, Waiting

STARTED = ev.TaskStarted(step="a", attempt=1, folder=1, nonce="n", session=1, idempotency_key="k", request="r")
SUCCEEDED = ev.TaskSucceeded(step="a", how="ran")
FAILED = ev.TaskFailed(step="a", code="exit", reason="exit code 1")
DOUBTED = ev.TaskInDoubt(step="a", reason="lost")
RETRIED = ev.TaskRetried(step="a", due=0.0)
REPEATED = ev.TaskRepeated(step="a", proof="verify")
SKIPPED = ev.TaskSkipped(step="a", reason="if")
CANCELLED = ev.TaskCancelled(step="a", reason="stopped")
NEVER_BEGAN = ev.TaskNeverBegan(step="a", attempt=1, reason="fenced")
ROLLED_BACK = ev.TaskRolledBack(step="a")
DUE = ev.TaskDue(step="a", reason="over")
REOPENED = ev.TaskReopened(step="a")
ASKED = ev.ProbeStarted(step="a", purpose="in_doubt", folder=2, nonce="p", session=1)
ANSWERED = ev.ProbeAnswered(step="a", purpose="in_doubt", answer="not_done")


def settled(resolution: str) -> ev.TaskSettled:
    return ev.TaskSettled(step="a", resolution=resolution, reason="looked", by={"uid": 1})


EVERY = {
    "skipped": SKIPPED, "started": STARTED, "never_began": NEVER_BEGAN, "asked": ASKED, "succeeded": SUCCEEDED,
    "failed": FAILED, "retried": RETRIED, "in_doubt": DOUBTED, "repeated": REPEATED, "settled": settled("done"),
    "cancelled": CANCELLED, "rolled_back": ROLLED_BACK, "due": DUE, "reopened": REOPENED,
}  # fmt: skip

WAYS = {
    "pending": ([], {"skipped", "started", "asked", "succeeded", "failed", "rolled_back", "due"}),
    "running": ([STARTED], {"never_began", "asked", "succeeded", "failed", "in_doubt", "cancelled"}),
    "succeeded": ([STARTED, SUCCEEDED], {"rolled_back", "reopened"}),
    "rolled_back": ([STARTED, SUCCEEDED, ROLLED_BACK], {"rolled_back", "reopened"}),
    "skipped": ([SKIPPED], set()),
    "cancelled": ([STARTED, CANCELLED], {"retried", "rolled_back"}),
    "failed": ([STARTED, FAILED], {"retried", "rolled_back"}),
    "in_doubt": (
        [STARTED, DOUBTED],
        {"asked", "succeeded", "failed", "in_doubt", "repeated", "settled", "rolled_back"},
    ),
}


@pytest.mark.parametrize("status", WAYS)
@pytest.mark.parametrize("name", EVERY)
def test_an_event_that_the_state_does_not_permit_is_refused(new_run, status, name):
    run = new_run([Node("a")])
    before, permitted = WAYS[status]
    run.fold(*before)
    if name in permitted:
        run.fold(EVERY[name])
    else:
        with pytest.raises(IllegalTransition, match=status):
            run.fold(EVERY[name])


def test_the_first_event_is_run_created():
    with pytest.raises(IllegalTransition, match="run_created"):
        apply(None, None, STARTED, 0.0, 1, "run")
    with pytest.raises(ValueError, match="run_created"):
        RunState.begin("run", Stamped(1, 0.0, STARTED))


def test_counts_follow_the_tasks(new_run):
    run = new_run([Node("a"), Node("b")])
    run.fold(STARTED)
    assert run.state.record.counts == {"running": 1}
    assert run.state.record.pending == 1
    run.fold(FAILED)
    run.fold(RETRIED)
    assert run.state.record.counts == {}
    assert run.state.record.pending == 2


def test_targets_count_from_when_they_are_known(new_run):
    run = new_run([Node("a", fan="a", fan_out=FanOutPolicy()), Node("b")])
    assert run.state.record.total == 2
    run.targets("a", 5)
    assert run.state.record.total == 6


def test_targets_of_a_fan_out_that_failed_are_refused(new_run):
    run = new_run([Node("a")])
    run.fold(FAILED)
    with pytest.raises(IllegalTransition, match="targets_resolved"):
        run.fold(ev.TargetsResolved(step="a", targets=[Target("x", "x")], tasks=1))


def test_a_second_question_waits_for_the_first_but_not_for_that_of_a_dead_session(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED, ASKED)
    with pytest.raises(IllegalTransition, match="asked already"):
        run.fold(ASKED)
    run.session()
    run.ask("a", "in_doubt")
    assert run.task("a").probe.session == 2


def test_an_answer_that_nobody_asked_for_is_refused(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED)
    with pytest.raises(IllegalTransition, match="was not asked"):
        run.fold(ANSWERED)
    run.fold(ASKED)
    with pytest.raises(IllegalTransition, match="was not asked"):
        run.fold(ev.ProbeAnswered(step="a", purpose="after", answer="done"))


def test_an_answer_after_an_operator_was_faster_is_refused(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED, ASKED, settled("not_done"))
    with pytest.raises(IllegalTransition, match="was not asked"):
        run.fold(ANSWERED)


def test_a_row_of_not_done_begins_at_its_first_answer_and_is_broken_by_any_other(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED)
    for now, answer, since in [(5, "not_done", 5), (9, "not_done", 5), (10, "unknown", None), (12, "not_done", 12)]:
        run.now = now
        run.ask("a", "in_doubt")
        run.answer("a", "in_doubt", answer)
        assert run.task("a").not_done_since == since
    assert run.task("a").asked_in == 1


def test_only_a_question_before_the_first_attempt_counts_as_asked_before(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED)
    run.ask("a", "after")
    run.answer("a", "after", "done")
    assert not run.task("a").checked_before
    other = new_run([Node("a")])
    other.ask("a", "before")
    other.answer("a", "before", "unknown")
    assert other.task("a").checked_before


def test_a_failure_counts_and_one_that_may_not_be_retried_outweighs_every_budget(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, FAILED)
    assert run.task("a").failures == 1
    run.fold(RETRIED, STARTED, ev.TaskFailed(step="a", code="condition", reason="no", retryable=False))
    assert run.task("a").failures == 1 + FINAL_FAILURE
    run.fold(ev.TaskRetried(step="a", due=7.0, fresh=True))
    assert (run.task("a").failures, run.task("a").status, run.task("a").not_before) == (0, "pending", 7.0)


def test_what_never_began_is_no_failure(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, NEVER_BEGAN)
    task = run.task("a")
    assert (task.status, task.fences, task.failures, task.attempt.status) == ("pending", 1, 0, "never_began")


@pytest.mark.parametrize(
    ("resolution", "status", "how"),
    [("done", "succeeded", "settled"), ("not_done", "pending", None), ("failed", "failed", "settled")],
)
@pytest.mark.fault(18)
def test_a_settled_doubt_leaves_nothing_of_the_doubt(new_run, resolution, status, how):
    run = new_run([Node("a")])
    run.fold(STARTED, ev.TaskInDoubt(step="a", reason="lost", how="adopted", gone=False, pid=7), ASKED)
    run.settle("a", resolution)
    task = run.task("a")
    assert (task.status, task.how, task.reason) == (status, how, "looked")
    assert (task.gone, task.pid, task.probe, task.answer) == (True, None, None, None)
    assert task.code == ("settled" if resolution == "failed" else "")
    assert task.failures == (FINAL_FAILURE if resolution == "failed" else 0)


def test_a_repeated_doubt_leaves_nothing_of_the_doubt(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED, ASKED, ANSWERED, REPEATED)
    task = run.task("a")
    assert (task.status, task.code, task.reason, task.repeats) == ("pending", "", "", 1)
    assert (task.answer, task.asked_in, task.not_done_since) == (None, 0, None)
    assert task.attempt.status == "in_doubt"


def test_a_later_failure_before_the_next_attempt_does_not_rewrite_the_last_one(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED, DOUBTED, ASKED, ANSWERED, REPEATED)
    run.fold(ev.TaskFailed(step="a", code="condition", reason="no such name"))
    assert run.task("a").attempt.status == "in_doubt"


def test_a_verified_attempt_keeps_when_it_ended_and_its_exit_code(new_run):
    run = new_run([Node("a")])
    run.fold(STARTED)
    run.now = 5.0
    run.fold(ev.TaskInDoubt(step="a", reason="exit code 76", exit_code=76))
    run.now = 9.0
    run.fold(ev.TaskSucceeded(step="a", how="verified"))
    attempt = run.task("a").attempt
    assert (attempt.status, attempt.ended_at, attempt.exit_code, attempt.how) == ("succeeded", 5.0, 76, "verified")


def test_a_resume_overrules_a_cancel_that_came_too_late(new_run):
    run = new_run([Node("a")])
    run.fold(ev.CancelRequested(reason="enough", by={}), ev.RunEnded(status="failed", exit_code=1))
    run.session()
    run.fold(ev.RoundStarted(round=2, by={}))
    record = run.state.record
    assert (record.status, record.round, record.cancel_requested, record.exit_code) == ("running", 2, False, None)


def test_folder_numbers_are_the_highest_given_out(new_run):
    run = new_run([Node("a"), Node("b")])
    run.fold(STARTED, ev.ProbeStarted(step="b", purpose="before", folder=7, nonce="p", session=1))
    assert run.state.record.folders == 7


@pytest.mark.parametrize("open_attempt", [STARTED, DOUBTED])
def test_a_group_is_never_let_go_while_an_attempt_may_be_at_work(new_run, open_attempt):
    run = new_run([Node("a")], concurrency_group="db", release_on=("waiting",))
    run.fold(STARTED, *([] if open_attempt is STARTED else [open_attempt]))
    run.fold(ev.RunParked(status="waiting", reason="a person"))
    assert run.state.record.holds_group


def test_a_group_is_let_go_in_the_statuses_that_the_runbook_names(new_run):
    run = new_run([Node("a")], concurrency_group="db", release_on=("waiting",))
    run.fold(STARTED, SUCCEEDED, ev.RunParked(status="waiting", reason="a person"))
    assert not run.state.record.holds_group
    run.fold(ev.RunEnded(status="failed", exit_code=1))
    assert run.state.record.holds_group


# -- polls ------------------------------------------------------------------------------------------------------

POLLS = ev.TaskWaiting(step="a", kind="poll", until=100.0, every=5.0)
POLLED = ev.ProbeStarted(step="a", purpose="poll", folder=1, nonce="n", session=1)
NOT_YET = ev.ProbeAnswered(step="a", purpose="poll", answer="not_done", reason="exit code 1", exit_code=1, times=1)


def test_an_answer_says_when_a_poll_is_asked_again(new_run):
    run = new_run([Node("a")])
    run.fold(POLLS)
    waiting = run.state.tasks[TaskKey("a")].waiting
    assert waiting.to_be_asked(0.0)
    run.fold(POLLED, NOT_YET)
    task = run.state.tasks[TaskKey("a")]
    assert (task.status, task.probe, task.reason, task.waiting.times) == ("waiting", None, "exit code 1", 1)
    assert task.waiting.due == min(task.waiting.answered_at + 5.0, 100.0)


@pytest.mark.parametrize(
    ("answered_at", "due", "overdue"), [(10.0, 15.0, False), (97.0, 100.0, False), (100.0, 100.0, True)]
)
def test_a_poll_is_asked_a_last_time_at_its_end(answered_at, due, overdue):
    waiting = Waiting("poll", 100.0, every=5.0, times=3, answered_at=answered_at)
    assert (waiting.due, waiting.overdue, waiting.to_be_asked(200.0)) == (due, overdue, not overdue)


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ([POLLS], ev.ProbeStarted(step="a", purpose="in_doubt", folder=1, nonce="n", session=1)),
        ([POLLS, POLLED], ev.ProbeStarted(step="a", purpose="poll", folder=2, nonce="m", session=1)),
        ([ev.TaskWaiting(step="a", kind="time", until=5.0)], POLLED),
        ([ev.TaskWaiting(step="a", kind="time", until=5.0)], NOT_YET),
        ([], POLLED),
        ([], NOT_YET),
        ([POLLS], POLLS),
        ([POLLS], STARTED),
    ],
)
def test_only_what_polls_is_polled(new_run, before, event):
    run = new_run([Node("a")])
    run.fold(*before)
    with pytest.raises(IllegalTransition):
        run.fold(event)
