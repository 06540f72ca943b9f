"""Privileges whose time is over while a run waits, in every engine: they are granted again when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .privileges import CLOSING, book, closed, granted, lapse

if TYPE_CHECKING:
    from contract.engines.rig import Rig


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
    [*CLOSING, ("task_reopened", "open"), ("task_started", "open"), ("task_succeeded", "open")],
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
