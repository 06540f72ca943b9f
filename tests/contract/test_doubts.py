"""What every engine promises of steps in doubt: what a verify says of them, and what people do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract.engines.books import ABC, verified
from durun.errors import NotAllowed

if TYPE_CHECKING:
    from contract.engines.rig import Rig


# -- verify ----------------------------------------------------------------------------------------------------


@pytest.mark.fault(17)
def test_a_verify_that_says_done_ends_a_doubt(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.world.will("a.verify", does(outputs={"x": "seen"}))
    assert rig.start(verified()).status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "b.run seen"]
    assert (rig.task("a").how, rig.task("a").outputs) == ("verified", {"x": "seen"})


@pytest.mark.fault(17)
def test_a_verify_that_says_not_done_makes_the_attempt_repeated_for_free(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(signal=9), does(outputs={"x": "2"}))
    rig.world.will("a.verify", does(4))
    assert rig.start(verified()).status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "a.run", "b.run 2"]
    assert (rig.task("a").repeats, rig.task("a").failures) == (1, 0)
    first, second = rig.task("a").attempts
    assert first.key == second.key


@pytest.mark.fault(17)
def test_a_verify_that_can_not_tell_leaves_the_doubt_and_is_asked_again_at_a_resume(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.world.will("a.verify", does(1), does(outputs={"x": "1"}))
    outcome = rig.start(verified())
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.statuses() == {"a": "in_doubt"}
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "a.verify", "b.run 1"]


def test_not_done_counts_when_it_is_said_twice_with_a_pause(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does(outputs={"x": "2"}))
    rig.world.will("a.verify", does(4))
    assert rig.start(verified(", settle: 100ms")).status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "a.verify", "a.run", "b.run 2"]
    answers = [s.at for s in rig.journal.events(rig.run, types=["probe_answered"])]
    assert answers[1] - answers[0] >= 0.0999


def test_a_verify_before_finds_what_is_done_already(rig: Rig, does: Any) -> None:
    rig.world.will("a.verify", does(outputs={"x": "old"}))
    assert rig.start(verified(", before: true")).status == "succeeded"
    assert rig.world.calls() == ["a.verify", "b.run old"]
    assert (rig.task("a").how, len(rig.task("a").attempts)) == ("found", 0)


@pytest.mark.parametrize(
    ("answer", "status", "standing"),
    [(0, "succeeded", "succeeded"), (4, "failed", "failed"), (1, "in_doubt", "in_doubt")],
)
def test_a_verify_after_has_the_last_word(rig: Rig, does: Any, answer: int, status: str, standing: str) -> None:
    rig.world.will("a.run", does(outputs={"x": "1"}))
    rig.world.will("a.verify", does(answer))
    assert rig.start(verified(", after: true", "on_in_doubt: ask")).status == status
    assert rig.task("a").status == standing


def test_an_idempotent_step_is_repeated_with_the_same_key(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does())
    assert rig.start("steps:\n  - {id: a, run: [ACT, run], idempotent: true, on_in_doubt: rerun}").status == "succeeded"
    first, second = rig.task("a").attempts
    assert (first.status, second.status, first.key) == ("in_doubt", "succeeded", second.key)


def test_on_in_doubt_fail_gives_up(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    book = "steps:\n  - {id: a, run: [ACT, run], on_in_doubt: fail, retry: {max_attempts: 5, delay: 0s}}"
    assert rig.start(book).status == "failed"
    assert (rig.task("a").code, rig.world.calls()) == ("in_doubt", ["a.run"])


# -- settling --------------------------------------------------------------------------------------------------


def test_settled_as_done_is_never_run_again(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    book = """
steps:
  - {id: a, run: [ACT, run], outputs: {x: {}}}
  - {id: b, run: [ACT, run, "${{ steps.a.outputs.x }}"]}
"""
    assert rig.start(book).status == "in_doubt"
    outcome = rig.settle("a", "done", outputs={"x": "told"})
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 0)
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run told"]
    assert (rig.task("a").how, rig.event("task_settled")["by"]["user"]) == ("settled", "ada")


def test_settled_as_not_done_is_run_again(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does())
    rig.start(ABC)
    rig.settle("a", "not_done")
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.run", "b.run", "c.run"]


def test_settled_as_failed_no_retry_policy_looks_at_it(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does())
    rig.start("steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 5, delay: 0s}}")
    rig.settle("a", "failed")
    assert rig.resume().status == "failed"
    assert rig.world.calls() == ["a.run"]
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.run"]


def test_one_target_in_doubt_is_settled_alone(rig: Rig, does: Any) -> None:
    rig.world.will("fan.t1.run", does(76))
    book = "steps:\n  - {id: fan, targets: [t1, t2], max_failures: 2, max_parallel: 2, run: [ACT, run]}"
    assert rig.start(book).status == "in_doubt"
    with pytest.raises(NotAllowed) as refused:
        rig.settle("fan", "done", "t2")
    assert "fan[t2] is not in doubt, it is succeeded" in refused.value.message
    assert "fan[t1]" in refused.value.hint
    rig.settle("fan", "done", "t1")
    assert rig.resume().status == "succeeded"


@pytest.mark.parametrize("task", ["a", "b", "nowhere"])
def test_nothing_but_a_doubt_can_be_settled(rig: Rig, does: Any, task: str) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    head = rig.journal.head(rig.run)
    with pytest.raises(NotAllowed):
        rig.settle(task, "done")
    assert rig.journal.head(rig.run) == head
