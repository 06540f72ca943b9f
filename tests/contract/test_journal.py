"""Every journal keeps this contract: the one in SQLite, and the one in memory that other tests trust."""

from __future__ import annotations

import os
from typing import Any

import pytest

from durun.errors import NoSuchRun
from durun.journal.api import Journal, RunQuery, SequenceConflict
from durun.model import event as ev
from durun.model.apply import IllegalTransition
from durun.model.task import Target, TaskKey
from events import RUN, created, ended, session, started, succeeded


def test_a_new_run_reads_back_as_it_was_asked_for(journal: Journal) -> None:
    assert journal.append(RUN, 0, [created(request_id="ticket-1"), session()], 10.5) == 2
    record = journal.record(RUN)
    assert (record.id, record.runbook, record.status, record.created_at) == (RUN, "patch", "running", 10.5)
    assert (record.uid, record.total, record.request_id, record.sequence) == (1000, 3, "ticket-1", 2)
    assert journal.head(RUN) == 2
    assert journal.tasks(RUN) == {}


def test_an_append_that_does_not_know_the_newest_event_writes_nothing(journal: Journal) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    for expected in (0, 2):
        with pytest.raises(SequenceConflict) as refused:
            journal.append(RUN, expected, [session()], 2.0)
        assert "is at event 1" in refused.value.message
    assert journal.head(RUN) == 1
    assert len(journal.events(RUN)) == 1


def test_a_refused_append_can_be_made_after_reading_what_is_new(journal: Journal) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    with pytest.raises(SequenceConflict):
        journal.append(RUN, 0, [session()], 2.0)
    assert journal.append(RUN, journal.head(RUN), [session()], 2.0) == 2


def test_events_of_one_append_are_all_there_or_none(journal: Journal) -> None:
    head = journal.append(RUN, 0, [created(), session()], 1.0)
    with pytest.raises(IllegalTransition):
        journal.append(RUN, head, [started("a"), succeeded("b"), started("a")], 2.0)
    assert journal.head(RUN) == head
    assert journal.tasks(RUN) == {}
    assert journal.append(RUN, head, [started("a")], 3.0) == head + 1
    journal.check(RUN)


def test_a_first_append_that_fails_leaves_no_run(journal: Journal) -> None:
    with pytest.raises(IllegalTransition):
        journal.append(RUN, 0, [created(), started("a"), started("a")], 1.0)
    with pytest.raises(NoSuchRun):
        journal.head(RUN)
    assert journal.append(RUN, 0, [created()], 1.0) == 1


def test_nothing_can_be_appended_before_the_run_is_created(journal: Journal) -> None:
    with pytest.raises(IllegalTransition):
        journal.append(RUN, 0, [session()], 1.0)
    assert journal.runs(RunQuery()) == []


def test_an_empty_append_is_a_mistake(journal: Journal) -> None:
    with pytest.raises(ValueError, match="nothing"):
        journal.append(RUN, 0, [], 1.0)


def test_events_come_back_as_they_went_in(journal: Journal) -> None:
    resolved = ev.TargetsResolved(step="p", targets=(Target("web-1", {"ip": "10.0.0.1"}), Target("ü", None)), tasks=2)
    text = created(
        text='é ☃ 𝄞 \x00 \\ " \u2028',
        inputs={"π": 0.1, "big": 2**70, "no": None},
        only_targets=["ü"],
        steps=["p"],
        finally_steps=["é"],
        release_on=["failed"],
    )
    events: list[ev.Event] = [
        text,
        session(),
        resolved,
        started("p", "web-1"),
        succeeded("p", "web-1", a={"b": [True]}),
    ]
    journal.append(RUN, 0, events, 1700000000.123456)
    found = journal.events(RUN)
    assert [stamped.event for stamped in found] == events
    assert [stamped.sequence for stamped in found] == [1, 2, 3, 4, 5]
    assert {stamped.at for stamped in found} == {1700000000.123456}


def test_bytes_of_a_file_name_that_are_no_text_survive(journal: Journal) -> None:
    name = os.fsdecode(b"/srv/caf\xe9")
    journal.append(RUN, 0, [created(place=name), ev.RunInterrupted(reason=name)], 1.0)
    event = journal.events(RUN)[0].event
    assert isinstance(event, ev.RunCreated)
    assert os.fsencode(event.place) == b"/srv/caf\xe9"
    journal.check(RUN)


def test_events_after_a_number_and_of_some_types(journal: Journal) -> None:
    journal.append(RUN, 0, [created(), session(), started("a"), succeeded("a"), ended()], 1.0)

    def numbers(**which: Any) -> list[int]:
        return [stamped.sequence for stamped in journal.events(RUN, **which)]

    assert numbers(after=3) == [4, 5]
    assert numbers(after=5) == []
    assert numbers(types=["run_created", "run_ended"]) == [1, 5]
    assert numbers(types=["task_started", "run_ended"]) == [3, 5]
    assert numbers(types=["run_ended", "run_created"], after=1) == [5]
    assert numbers(types=["clock_jumped"]) == []
    assert numbers(types=[]) == []


def test_tasks_are_where_their_events_left_them(journal: Journal) -> None:
    head = journal.append(RUN, 0, [created(), session(), started("a"), started("p", "x", folder=2)], 1.0)
    journal.append(
        RUN, head, [succeeded("a", version="7"), ev.TaskFailed(step="p", target="x", code="exit", reason="7")], 2.0
    )
    tasks = journal.tasks(RUN)
    a, x = tasks[TaskKey("a")], tasks[TaskKey("p", "x")]
    assert (a.status, a.how, a.outputs, a.changed_at) == ("succeeded", "ran", {"version": "7"}, 2.0)
    assert (x.status, x.code, x.reason, x.failures) == ("failed", "exit", "7", 1)
    assert [attempt.nonce for attempt in x.attempts] == ["nonce2"]
    assert a.attempt is not None
    assert (a.attempt.started_at, a.attempt.ended_at, a.attempt.exit_code) == (1.0, 2.0, 0)
    assert journal.record(RUN).counts == {"succeeded": 1, "failed": 1}


def test_attempts_that_are_read_later_equal_those_in_memory(journal: Journal) -> None:
    journal.append(RUN, 0, [created(), session(), started("a")], 1.0)
    one, other = journal.tasks(RUN)[TaskKey("a")], journal.tasks(RUN)[TaskKey("a")]
    assert one == other
    assert one.attempts == tuple(other.attempts)
    assert tuple(one.attempts) == other.attempts
    assert len(one.attempts) == 1
    assert one.attempts[-1:] == tuple(other.attempts)


def test_a_probe_and_a_doubt_read_back(journal: Journal) -> None:
    probe = ev.ProbeStarted(step="a", purpose="in_doubt", folder=2, nonce="n", session=1)
    doubt = ev.TaskInDoubt(step="a", reason="the machine restarted", pid=99)
    head = journal.append(RUN, 0, [created(), session(), started("a"), doubt, probe], 1.0)
    state = journal.tasks(RUN)[TaskKey("a")]
    assert state.probe is not None
    assert (state.status, state.probe.purpose, state.probe.nonce, state.pid) == ("in_doubt", "in_doubt", "n", 99)
    journal.append(RUN, head, [ev.ProbeAnswered(step="a", purpose="in_doubt", answer="unknown")], 2.0)
    state = journal.tasks(RUN)[TaskKey("a")]
    assert (state.probe, state.answer) == (None, "unknown")
    journal.check(RUN)


def test_rounds_are_tasks_of_their_own(journal: Journal) -> None:
    events = [ev.TaskSkipped(step="clean", round=number, reason="no") for number in (1, 2)]
    journal.append(RUN, 0, [created(), session(), *events], 1.0)
    assert set(journal.tasks(RUN)) == {TaskKey("clean", None, 1), TaskKey("clean", None, 2)}


def test_a_run_at_its_end_says_how(journal: Journal) -> None:
    journal.append(RUN, 0, [created(), session(), ended("failed")], 5.0)
    record = journal.record(RUN)
    assert (record.status, record.ended_at, record.exit_code, record.outputs) == ("failed", 5.0, 0, {"done": [1, 2]})


def test_notable_tasks_are_the_first_of_each_step_that_something_is_to_be_said_about(journal: Journal) -> None:
    failed = [ev.TaskFailed(step="a", target=name, code="exit", reason=f"of {name}", how="ran") for name in "xy"]
    events: list[ev.Event] = [created(tasks=5), session(), started("fine"), started("a", "x"), started("a", "y")]
    events += [failed[1], failed[0], ev.TaskSucceeded(step="fine", how="ran"), started("b")]
    head = 0
    for number, event in enumerate(events):
        head = journal.append(RUN, head, [event], float(number))
    journal.append("another", 0, [created(), session(), started("only")], 1.0)
    journal.append("good", 0, [created(tasks=0), ev.RunEnded(status="succeeded", exit_code=0)], 1.0)
    found = journal.notable([RUN, "good", "another", "unknown"])
    assert {run: [(str(key), task.status) for key, task in tasks] for run, tasks in found.items()} == {
        RUN: [("a[y]", "failed"), ("b", "running")],
        "another": [("only", "running")],
    }
    key, task = found[RUN][0]
    assert task == journal.tasks(RUN)[key]
    assert journal.notable([]) == {}


def test_of_several_that_became_so_at_once_the_first_by_name_is_notable(journal: Journal) -> None:
    begun = [started("a", name, folder=number) for number, name in enumerate("zyx", 1)]
    journal.append(RUN, 0, [created(), session(), *begun], 1.0)
    assert [str(key) for key, _ in journal.notable([RUN])[RUN]] == ["a[x]"]


def test_two_runs_do_not_touch_each_other(journal: Journal) -> None:
    journal.append("one", 0, [created(), session()], 1.0)
    journal.append("two", 0, [created(), session()], 2.0)
    journal.append("one", 2, [started("a")], 3.0)
    journal.append("two", 2, [ended()], 4.0)
    assert journal.record("one").status == "running"
    assert journal.record("two").status == "succeeded"
    assert list(journal.tasks("one")) == [TaskKey("a")]
    assert journal.tasks("two") == {}
    journal.check("one")
    journal.check("two")


@pytest.mark.fault(13)
@pytest.mark.parametrize("call", ["head", "record", "tasks", "events", "check"])
def test_an_unknown_run_is_refused_by_name(journal: Journal, call: str) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    with pytest.raises(NoSuchRun) as refused:
        getattr(journal, call)("nowhere")
    assert "nowhere" in refused.value.message


def test_runs_are_listed_newest_first(journal: Journal) -> None:
    for number, at in enumerate([5.0, 9.0, 7.0, 9.0]):
        journal.append(f"run-{number}", 0, [created()], at)
    assert [record.id for record in journal.runs(RunQuery())] == ["run-3", "run-1", "run-2", "run-0"]
    assert [record.id for record in journal.runs(RunQuery(limit=2))] == ["run-3", "run-1"]


def test_a_run_is_not_begun_beside_one_that_it_must_not_stand_beside(journal: Journal) -> None:
    open_ones = RunQuery(statuses=["pending", "running"], runbook="patch", inputs_digest="i1")
    assert journal.append("a", 0, [created()], 1.0, open_ones) == 1
    with pytest.raises(SequenceConflict) as refused:
        journal.append("b", 0, [created()], 2.0, open_ones)
    assert "run a is there already" in refused.value.message
    journal.append("c", 0, [created(inputs_digest="i2")], 3.0, open_ones._replace(inputs_digest="i2"))
    journal.append("a", 1, [session(), ended()], 4.0)
    journal.append("b", 0, [created()], 5.0, open_ones)
    assert [record.id for record in journal.runs(RunQuery())] == ["b", "c", "a"]
    for run in "abc":
        journal.check(run)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (RunQuery(), ["e", "d", "c", "b", "a"]),
        (RunQuery(statuses=["succeeded"]), ["d", "b"]),
        (RunQuery(statuses=["succeeded", "pending"], limit=3), ["e", "d", "c"]),
        (RunQuery(statuses=[]), []),
        (RunQuery(runbook="patch"), ["c", "b", "a"]),
        (RunQuery(runbook="patch", statuses=["succeeded"]), ["b"]),
        (RunQuery(since=4.0), ["e", "d"]),
        (RunQuery(request_id="same"), ["d", "a"]),
        (RunQuery(request_id="same", runbook="patch"), ["a"]),
        (RunQuery(request_id="other"), []),
        (RunQuery(inputs_digest="i2"), ["c"]),
        (RunQuery(runbook="patch", inputs_digest="i1"), ["b", "a"]),
        (RunQuery(uid=2000), ["e"]),
        (RunQuery(runbook="' OR 1=1 --"), []),
    ],
)
def test_runs_that_match(journal: Journal, query: RunQuery, expected: list[str]) -> None:
    journal.append("a", 0, [created(request_id="same")], 1.0)
    journal.append("b", 0, [created(), session(), ended()], 2.0)
    journal.append("c", 0, [created(inputs_digest="i2")], 3.0)
    journal.append("d", 0, [created(runbook="deploy", request_id="same"), session(), ended()], 4.0)
    journal.append("e", 0, [created(runbook="deploy", by={"uid": 2000})], 5.0)
    assert [record.id for record in journal.runs(query)] == expected


def test_a_request_id_starts_one_run_of_a_runbook(journal: Journal) -> None:
    journal.append("a", 0, [created(request_id="ticket")], 1.0)
    with pytest.raises(SequenceConflict) as refused:
        journal.append("b", 0, [created(request_id="ticket")], 2.0)
    assert "ticket" in refused.value.message
    journal.append("c", 0, [created(request_id="ticket", runbook="other")], 3.0)
    assert [record.id for record in journal.runs(RunQuery())] == ["c", "a"]


@pytest.mark.parametrize(("reference", "found"), [("ab12", "ab12"), ("ab", "ab12"), ("c", "cd"), ("cd", "cd")])
def test_an_id_or_the_beginning_of_one_finds_the_run(journal: Journal, reference: str, found: str) -> None:
    for run_id in ("ab12", "cd", "ef56", "ef78"):
        journal.append(run_id, 0, [created()], 1.0)
    assert journal.find(reference) == found


def test_a_whole_id_wins_over_longer_ones(journal: Journal) -> None:
    journal.append("abc", 0, [created()], 1.0)
    journal.append("ab", 0, [created()], 1.0)
    assert journal.find("ab") == "ab"


@pytest.mark.fault(13)
def test_an_ambiguous_id_names_the_candidates(journal: Journal) -> None:
    for run_id in ("ef56", "ef78", "xx"):
        journal.append(run_id, 0, [created()], 1.0)
    with pytest.raises(NoSuchRun) as refused:
        journal.find("ef")
    assert "ef56, ef78" in refused.value.message
    assert "xx" not in refused.value.message


@pytest.mark.fault(13)
@pytest.mark.parametrize("typed", ["20260131-k7dq2m", "20260131-k7qd2mm", "20260113-k"])
def test_an_unknown_id_names_near_matches(journal: Journal, typed: str) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    with pytest.raises(NoSuchRun) as refused:
        journal.find(typed)
    assert typed in refused.value.message
    assert RUN in refused.value.hint


@pytest.mark.parametrize("odd", ["%", "_", "'", "*", "zzzzzz", "\U0010ffff"])
def test_no_run_begins_with_odd_text(journal: Journal, odd: str) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    with pytest.raises(NoSuchRun):
        journal.find(odd)


def test_nothing_typed_is_no_run_even_if_there_is_only_one(journal: Journal) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    with pytest.raises(NoSuchRun):
        journal.find("")


def test_last_is_the_newest_run_of_a_user(journal: Journal) -> None:
    with pytest.raises(NoSuchRun):
        journal.find("@last")
    journal.append("mine", 0, [created()], 1.0)
    journal.append("yours", 0, [created(by={"uid": 2000})], 2.0)
    assert journal.find("@last") == "yours"
    assert journal.find("@last", uid=1000) == "mine"
    with pytest.raises(NoSuchRun):
        journal.find("@last", uid=3000)


def test_a_long_history_folds_to_what_is_stored(journal: Journal) -> None:
    head = journal.append(RUN, 0, [created(tasks=700), session()], 1.0)
    for number in range(700):  # more tasks than a writer keeps in memory
        head = journal.append(RUN, head, [started("p", f"t{number}", folder=number + 1)], 2.0)
    for number in range(700):
        head = journal.append(RUN, head, [succeeded("p", f"t{number}")], 3.0)
    assert journal.record(RUN).counts == {"succeeded": 700}
    assert head == journal.head(RUN) == 1402
    journal.check(RUN)
