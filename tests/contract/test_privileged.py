"""Privileges, in every engine: whatever becomes of a run, what a step grants is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import Busy
from durun.model import event as ev

if TYPE_CHECKING:
    from contract_engines.rig import Rig


def book(most: str = "4h", between: str = "{id: between, run: [ACT, run]}", more: str = "") -> str:
    return f"""
steps:
  - id: open
    run: [ACT, run]
    rollback: {{run: [ACT, close]{more}}}
    privileged: {{until: work, max: {most}}}
  - {between}
  - {{id: work, run: [ACT, run]}}
  - {{id: after, run: [ACT, run]}}
"""


def closed(rig: Rig) -> bool:
    return rig.journal.record(rig.run).privileged == 0


def keys(rig: Rig, step: str) -> list[str]:
    return [attempt.key for attempt in rig.task(step).attempts]


def test_it_is_closed_when_the_step_has_ended_for_which_it_was_granted(rig: Rig) -> None:
    outcome = rig.start(book().replace("id: after, run", "id: after, needs: [work], run"))
    assert outcome.status == "succeeded"
    assert sorted(rig.world.calls()) == ["after.run", "between.run", "open.run", "open@rollback.close", "work.run"]
    assert rig.world.calls().index("open@rollback.close") > rig.world.calls().index("work.run")
    assert rig.event("task_due")["reason"] == "work has ended"
    assert rig.statuses()["open"] == "rolled_back"
    assert outcome.state is not None and outcome.state.record.pending == 0
    assert closed(rig)


@pytest.mark.parametrize("failing", ["between", "work"])
def test_it_is_closed_when_the_run_fails_and_granted_anew_with_another_key(rig: Rig, does: Any, failing: str) -> None:
    rig.world.will(f"{failing}.run", does(1), does(0))
    assert rig.start(book()).status == "failed"
    first = ["open.run", "between.run", *(["work.run"] if failing == "work" else []), "open@rollback.close"]
    assert rig.world.calls() == first
    assert closed(rig)
    assert rig.resume().status == "succeeded"
    again = ["open.run", "work.run"] if failing == "work" else ["open.run", "between.run", "work.run"]
    rest = rig.world.calls()[len(first) :]
    assert [call for call in rest if call not in ("after.run", "open@rollback.close")] == again
    assert rest.count("open@rollback.close") == 1
    assert len(set(keys(rig, "open"))) == len(set(keys(rig, "open@rollback"))) == 2
    assert closed(rig)


def test_it_is_closed_when_the_step_that_grants_it_fails(rig: Rig, does: Any) -> None:
    rig.world.will("open.run", does(1))
    assert rig.start(book()).status == "failed"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)


def test_it_is_closed_when_the_run_is_cancelled(rig: Rig, does: Any) -> None:
    asked: list[bool] = []

    def cancel(events: Any) -> None:
        if not asked and any(isinstance(event, ev.TaskSucceeded) and event.step == "open" for event in events):
            asked.append(True)
            rig.another().cancel()

    rig.journal.after = cancel
    outcome = rig.start(book(between="{id: between, idempotent: true, run: [ACT, run]}"))
    assert (outcome.status, outcome.exit_code) == ("cancelled", 12)
    assert rig.world.calls()[-1] == "open@rollback.close"
    assert "work.run" not in rig.world.calls()
    assert closed(rig)


def test_it_is_closed_with_the_rest_when_the_run_is_rolled_back(rig: Rig, does: Any) -> None:
    rig.world.will("between.run", does(1))
    outcome = rig.start("on_failure: rollback\n" + book())
    assert outcome.status == "rolled_back"
    assert rig.world.calls() == ["open.run", "between.run", "open@rollback.close"]
    assert closed(rig)


def test_one_that_can_not_be_closed_makes_the_run_failed_and_a_resume_tries_it_again(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(1), does(0))
    text = book().replace("  - {id: after, run: [ACT, run]}\n", "")
    outcome = rig.start(text)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert not closed(rig)
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["open.run", "between.run", "work.run", "open@rollback.close", "open@rollback.close"]
    assert closed(rig)


@pytest.mark.parametrize(
    "beside",
    ["wait_for: {run: [ACT, ask], every: 1h}", "wait: 1h", "approval: {message: go?, approvers: [ada]}"],
)
@pytest.mark.parametrize("park", [False, True])
def test_one_that_can_not_be_closed_is_a_failure_beside_which_nobody_waits(
    rig: Rig, does: Any, beside: str, park: bool
) -> None:
    rig.world.will("open@rollback.close", does(1), does(0))
    rig.world.will("beside.ask", does(1))
    text = book().replace("  - {id: after, run: [ACT, run]}\n", f"  - {{id: beside, needs: [], {beside}}}\n")
    outcome = rig.start(text, park=park)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert rig.statuses()["beside"] == "waiting"
    assert rig.resume(park=True).status == "waiting"
    assert closed(rig)


@pytest.mark.parametrize("hours", [2, 9], ids=["it alone is due", "the step before the next is over too"])
def test_when_its_time_is_over_the_run_does_not_go_on_without_it(rig: Rig, hours: int) -> None:
    rig.witness.at_event = lambda event: rig.pass_time(hours) if ev.type_of(event) == "task_waiting" else None
    outcome = rig.start(book("1h", "{id: between, wait: 5h}"))
    assert outcome.status == "failed"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert rig.event("task_due")["reason"] == "its time is over"
    assert rig.event("run_ended")["reason"] == "the privilege of open ended before work was done"
    assert rig.event("task_rolled_back")["early"]
    assert closed(rig)


# -- granted again ---------------------------------------------------------------------------------------------


def lapse(rig: Rig, between: str, most: str = "4h", hours: float = 5, **start: Any) -> None:
    """A run that waits inside, whose privilege was closed meanwhile."""
    assert rig.start(book(most, between), **start).status == "waiting"
    rig.pass_time(hours=hours)
    assert rig.reap().status == "waiting"
    assert closed(rig)


def granted(rig: Rig) -> int:
    return rig.world.calls().count("open.run")


@pytest.mark.parametrize("between", ["approval: {message: go?, approvers: [ada]}", "wait: 90h"])
def test_an_early_resume_does_not_grant_it_again(rig: Rig, between: str) -> None:
    lapse(rig, f"{{id: between, {between}}}", park=True)
    for _ in range(3):
        assert rig.resume(fresh=False, park=True).status == "waiting"
        rig.pass_time(hours=5)
        assert rig.reap().state is None
    assert granted(rig) == 1
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    if "approval" in between:
        rig.say("between", "approve")
    rig.pass_time(hours=90)
    assert rig.resume(fresh=False).status == "succeeded"
    assert rig.world.calls()[2:4] == ["open.run", "work.run"]
    assert rig.world.calls().count("open@rollback.close") == 2
    assert closed(rig)


@pytest.mark.parametrize("decided", [False, True])
def test_one_whose_time_was_over_before_a_resume_ends_as_if_reap_had_closed_it(rig: Rig, decided: bool) -> None:
    assert rig.start(book(between="{id: between, approval: {message: go?, approvers: [ada]}}")).status == "waiting"
    rig.pass_time(hours=5)
    if decided:
        rig.say("between", "approve")
    assert rig.resume(fresh=False).status == ("succeeded" if decided else "waiting")
    assert rig.world.calls()[:2] == ["open.run", "open@rollback.close"]
    assert granted(rig) == (2 if decided else 1)
    assert closed(rig)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("task_due", None),
        ("task_started", "open@rollback"),
        ("task_succeeded", "open@rollback"),
        ("task_rolled_back", None),
        ("task_reopened", "open"),
        ("task_started", "open"),
        ("task_succeeded", "open"),
    ],
)
def test_it_lapses_and_is_granted_again_whenever_the_runner_was_killed(
    rig: Rig, does: Any, crash: Any, kind: str, step: str | None, committed: bool
) -> None:
    assert rig.start(book(between="{id: between, approval: {message: go?, approvers: [ada]}}")).status == "waiting"
    rig.pass_time(hours=5)
    rig.say("between", "approve")
    rig.crash_at(kind, step, committed=committed)
    rig.crash(rig.resume)
    assert rig.resume(fresh=False).status == "succeeded"
    calls = [call for call in rig.world.calls() if call != "after.run"]
    assert calls == ["open.run", "open@rollback.close", "open.run", "work.run", "open@rollback.close"]
    assert closed(rig)


def test_who_does_something_by_hand_is_waited_for_without_it_and_asked_anew_has_it(rig: Rig) -> None:
    lapse(rig, "{id: between, manual: {instructions: look}}")
    assert rig.resume(fresh=False).status == "waiting"
    assert granted(rig) == 1
    rig.say("between", "fail")
    assert rig.resume(fresh=False).status == "failed"
    assert granted(rig) == 1
    assert rig.resume().status == "waiting"
    assert granted(rig) == 2
    assert not closed(rig)


def test_a_poll_has_it_when_it_asks_and_not_before(rig: Rig, does: Any) -> None:
    rig.world.will("between.ask", does(1), does(0))
    lapse(rig, "{id: between, wait_for: {run: [ACT, ask], every: 9h, timeout: 90h}}", park=True)
    assert rig.resume(park=True).status == "waiting"
    assert rig.world.calls() == ["open.run", "between.ask", "open@rollback.close"]
    rig.pass_time(hours=9)
    assert rig.resume(park=True).status == "succeeded"
    assert rig.world.calls()[3:6] == ["open.run", "between.ask", "work.run"]


def test_what_was_granted_inside_another_one_is_granted_again_after_that(rig: Rig) -> None:
    rig.start("""
steps:
  - id: outer
    run: [ACT, run]
    rollback: {run: [ACT, close]}
    privileged: {until: work, max: 4h}
  - id: inner
    run: [ACT, run]
    rollback: {run: [ACT, close]}
    privileged: {until: work, max: 4h}
  - {id: ask, approval: {message: go?, approvers: [ada]}}
  - {id: work, run: [ACT, run]}
""")
    rig.pass_time(hours=5)
    rig.reap()
    assert rig.resume().status == "waiting"
    before = len(rig.world.calls())
    assert before == 4
    rig.say("ask", "approve")
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[before : before + 3] == ["outer.run", "inner.run", "work.run"]
    assert closed(rig)


FANNED = """
steps:
  - id: each
    targets: [a, b]
    max_parallel: 2
    steps:
      - id: open
        run: [ACT, run]
        rollback: {run: [ACT, close]}
        privileged: {until: work, max: 4h}
      - {id: ask, approval: {message: go?, approvers: [ada]}}
      - {id: work, run: [ACT, run]}
"""


def test_it_is_granted_again_for_those_targets_alone_that_go_on(rig: Rig) -> None:
    rig.start(FANNED)
    rig.pass_time(hours=5)
    rig.reap()
    rig.say("ask", "approve", target="b")
    assert rig.resume().status == "waiting"
    assert rig.world.calls()[4:] == ["open.b.run", "work.b.run", "open@rollback.b.close"]
    rig.say("ask", "approve", target="a")
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[7:] == ["open.a.run", "work.a.run", "open@rollback.a.close"]
    assert closed(rig)


def test_one_for_all_targets_is_granted_again_once_one_of_them_goes_on(rig: Rig) -> None:
    rig.start("""
steps:
  - id: open
    run: [ACT, run]
    rollback: {run: [ACT, close]}
    privileged: {until: each, max: 4h}
  - id: each
    targets: [a, b]
    max_parallel: 2
    steps:
      - {id: ask, approval: {message: go?, approvers: [ada]}}
      - {id: work, run: [ACT, run]}
""")
    rig.pass_time(hours=5)
    rig.reap()
    assert rig.resume().status == "waiting"
    assert granted(rig) == 1
    rig.say("ask", "approve", target="b")
    assert rig.resume().status == "waiting"
    assert rig.world.calls()[2:] == ["open.run", "work.b.run"]
    rig.say("ask", "approve", target="a")
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[4:] == ["work.a.run", "open@rollback.close"]


def test_it_is_not_granted_again_to_be_rolled_back(rig: Rig) -> None:
    lapse(rig, "{id: between, approval: {message: go?, approvers: [ada]}}")
    assert rig.resume().status == "waiting"
    assert rig.rollback().status == "rolled_back"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]


def test_a_changed_runbook_that_grants_it_for_good_does_so_at_once(rig: Rig) -> None:
    between = "{id: between, approval: {message: go?, approvers: [ada]}}"
    lapse(rig, between)
    changed = book(between=between).replace("    privileged: {until: work, max: 4h}\n", "")
    assert rig.resume(change=changed).status == "waiting"
    rig.say("between", "approve")
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[:4] == ["open.run", "open@rollback.close", "open.run", "work.run"]
    assert rig.world.calls().count("open@rollback.close") == 1


def test_denied_it_is_not_granted_again(rig: Rig) -> None:
    lapse(rig, "{id: between, approval: {message: go?, approvers: [ada]}}")
    rig.say("between", "reject")
    assert rig.resume(fresh=False).status == "failed"
    assert rig.world.calls() == ["open.run", "open@rollback.close"]


# -- reap -----------------------------------------------------------------------------------------------------


def test_reap_leaves_alone_what_is_not_due(rig: Rig) -> None:
    assert rig.start(book(between="{id: between, wait: 1h}"), park=True).status == "waiting"
    before = rig.events()
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code, outcome.state) == ("waiting", 0, None)
    assert rig.events() == before
    assert not closed(rig)


def test_reap_closes_what_a_parked_run_left_open_and_leaves_the_run_as_it_is(rig: Rig) -> None:
    text = book("4h", "{id: between, wait: 10h}")
    assert rig.start(text, park=True).status == "waiting"
    rig.pass_time(hours=5)
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code) == ("waiting", 0)
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)
    assert rig.reap().state is None
    rig.pass_time(hours=6)
    assert rig.resume(fresh=False).status == "succeeded"
    assert rig.world.calls()[2:4] == ["open.run", "work.run"]
    assert len(set(keys(rig, "open"))) == 2
    assert closed(rig)


def test_reap_closes_what_a_killed_runner_left_open(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "between", committed=False)
    rig.crash(lambda: rig.start(book()))
    assert rig.reap().state is None
    rig.pass_time(hours=5)
    assert rig.reap().exit_code == 0
    assert rig.world.calls() == ["open.run", "open@rollback.close"]
    assert closed(rig)
    assert "run_ended" not in rig.events()


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("task_due", None),
        ("task_started", "open@rollback"),
        ("task_succeeded", "open@rollback"),
        ("task_rolled_back", None),
    ],
)
def test_reap_closes_it_whenever_the_runner_was_killed(
    rig: Rig, does: Any, crash: Any, kind: str, step: str | None, committed: bool
) -> None:
    rig.world.will("between.run", does(1))
    rig.crash_at(kind, step, committed=committed)
    rig.crash(lambda: rig.start(book()))
    rig.pass_time(hours=5)
    while not closed(rig):
        assert rig.reap().state is not None
    assert rig.world.calls() == ["open.run", "between.run", "open@rollback.close"]
    assert rig.statuses()["open"] == "rolled_back"


def test_reap_tries_again_what_could_not_be_closed(rig: Rig, does: Any) -> None:
    rig.world.will("work.run", does(1))
    rig.world.will("open@rollback.close", does(1), does(1), does(0))
    assert rig.start(book()).status == "failed"
    assert rig.reap().exit_code == 1
    outcome = rig.reap()
    assert (outcome.status, outcome.exit_code) == ("failed", 0)
    assert rig.world.calls().count("open@rollback.close") == 3
    assert closed(rig)


def test_reap_is_busy_beside_whoever_drives_the_run(rig: Rig) -> None:
    refused = []

    def reap(events: Any) -> None:
        if any(isinstance(event, ev.TaskDue) for event in events):
            with pytest.raises(Busy):
                rig.another().reap()
            refused.append(True)

    rig.journal.after = reap
    assert rig.start(book()).status == "succeeded"
    assert refused


def test_reap_writes_nothing_of_a_doubt_that_nobody_can_end_by_asking(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(76))
    rig.start(book())
    before = rig.events()
    for _ in range(3):
        rig.pass_time(hours=1)
        outcome = rig.reap()
        assert (outcome.exit_code, outcome.state) == (3, None)
    assert rig.events() == before
    assert "in doubt" in rig.witness.notices[-1]
    rig.settle("open@rollback", "not_done")
    rig.world.will("open@rollback.close", does(0))
    assert rig.reap().exit_code == 0
    assert closed(rig)


def test_reap_asks_again_about_a_doubt_when_it_has_lasted_twice_as_long(rig: Rig, does: Any) -> None:
    rig.world.will("open@rollback.close", does(76))
    rig.world.will("open@rollback.ask", does(1))
    rig.start(book(more=", verify: {run: [ACT, ask], not_done_on: [4]}"))

    def asked() -> int:
        return rig.world.calls().count("open@rollback.ask")

    first = asked()
    assert rig.reap().exit_code == 3
    assert asked() == first
    per_hour = []
    for _ in range(4):
        before = asked()
        for _ in range(60):
            rig.pass_time(hours=1 / 60)
            assert rig.reap().exit_code == 3
        per_hour.append(asked() - before)
    assert 4 <= per_hour[0] <= 6
    assert per_hour[2:] == [1, 1]
    rig.world.will("open@rollback.ask", does(0))
    for _ in range(61):
        rig.pass_time(hours=1 / 60)
        rig.reap()
    assert closed(rig)
