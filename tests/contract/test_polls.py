"""Every engine polls alike: what is asked when, what ends the wait, and what a crash can't take from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.model.event import type_of

if TYPE_CHECKING:
    from contract.engines.rig import Rig


POLLED = """
steps:
  - {id: a, run: [ACT, run]}
  - id: ready
    wait_for: {run: [ACT, ask], every: 50ms, timeout: 1h}
    outputs: {n: {type: integer}}
  - {id: b, run: [ACT, run, "${{ steps.ready.outputs.n }}"]}
"""
HOURLY = POLLED.replace("50ms", "30m")
DAILY = POLLED.replace("50ms", "24h")


def let_an_hour_pass_after_each_answer(rig: Rig) -> None:
    rig.witness.at_event = lambda event: rig.pass_time(1) if type_of(event) == "probe_answered" else None


def test_it_is_asked_until_it_holds_and_the_outputs_are_those_of_the_last_answer(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1, outputs={"n": "1"}), does(7), does(0, outputs={"n": "3"}))
    assert rig.start(POLLED).exit_code == 0
    assert rig.world.calls() == ["a.run", "ready.ask", "ready.ask", "ready.ask", "b.run 3"]
    assert rig.task("ready").attempts == () and rig.task("ready").waiting is None
    assert rig.events().count("task_waiting") == 1


def test_two_questions_are_as_far_apart_as_the_runbook_says(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1), does(0, outputs={"n": "1"}))
    rig.start(POLLED.replace("50ms", "400ms"))
    (answered,) = rig.journal.events(rig.run, types=["probe_answered"])
    done = next(e for e in rig.journal.events(rig.run, types=["task_succeeded"]) if e.event.step == "ready")
    assert done.at >= answered.at + 0.4


@pytest.mark.parametrize(
    ("until", "answers"),
    [
        ("result.exit_code == 4", [{"exit_code": 0}, {"exit_code": 4}]),
        ("result.stdout == 'up'", [{"stdout": "down"}, {"stdout": "up\n", "exit_code": 1}]),
        ("result.json.state == 'up'", [{"stdout": "{}"}, {"stdout": "no JSON"}, {"stdout": '{"state": "up"}'}]),
        ("result.exit_code == 0", [{"signal": 9}, {"exit_code": 0}]),
        ("steps.a.status == 'succeeded' and result.stdout | length > 2", [{"stdout": "ab"}, {"stdout": "abc"}]),
    ],
)
def test_until_says_when_it_holds_and_what_can_not_be_read_is_not_yet(
    rig: Rig, does: Any, until: str, answers: list[dict[str, Any]]
) -> None:
    rig.world.will("ready.ask", *(does(**answer) for answer in answers))
    steps = POLLED.replace("every:", f'until: "{until}", every:').replace(', "${{ steps.ready.outputs.n }}"', "")
    assert rig.start(steps.replace("    outputs: {n: {type: integer}}\n", "")).exit_code == 0
    assert rig.world.calls() == ["a.run", *["ready.ask"] * len(answers), "b.run"]


def test_fail_when_ends_it_at_once(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1), does(3))
    steps = POLLED.replace("every:", 'fail_when: "result.exit_code == 3", every:')
    assert (rig.start(steps).exit_code, rig.task("ready").code) == (1, "wait_for")
    assert rig.world.calls() == ["a.run", "ready.ask", "ready.ask"]
    assert "`fail_when` holds: result.exit_code == 3" in rig.task("ready").reason


def test_what_has_not_come_in_its_time_has_failed_after_a_last_question(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1))
    let_an_hour_pass_after_each_answer(rig)
    assert (rig.start(DAILY).exit_code, rig.task("ready").code) == (1, "timeout")
    assert rig.world.calls() == ["a.run", "ready.ask", "ready.ask"]
    assert rig.task("ready").reason == "timed out: exit code 1; asked 2 times"
    waited, failed = (rig.journal.events(rig.run, types=[kind])[0] for kind in ("task_waiting", "task_failed"))
    assert failed.at >= waited.event.until


def test_an_operators_resume_waits_anew(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1), does(1), does(0, outputs={"n": "1"}))
    let_an_hour_pass_after_each_answer(rig)
    assert rig.start(DAILY).exit_code == 1
    assert rig.resume().exit_code == 0
    assert rig.events().count("task_waiting") == 2


def test_outputs_that_are_missing_when_it_holds_fail_it(rig: Rig) -> None:
    assert (rig.start(POLLED).exit_code, rig.task("ready").code) == (1, "outputs")


def test_a_run_that_parks_between_two_questions_is_asked_when_it_is_due(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1), does(0, outputs={"n": "1"}))
    outcome = rig.start(HOURLY, park=True)
    assert (outcome.status, outcome.exit_code) == ("waiting", 5)
    asked = rig.task("ready").waiting
    assert (asked.times, asked.due) == (1, asked.answered_at + 1800)
    again = rig.resume(park=True)
    assert (again.status, rig.world.calls()) == ("waiting", ["a.run", "ready.ask"])
    assert rig.task("ready").waiting == asked


def test_a_crash_begins_neither_the_wait_nor_the_pause_anew(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1), does(0, outputs={"n": "1"}))
    rig.crash_at("probe_answered", committed=True)
    rig.crash(lambda: rig.start(HOURLY))
    before = rig.task("ready").waiting
    assert rig.resume(park=True).status == "waiting"
    assert rig.task("ready").waiting == before
    assert rig.world.calls() == ["a.run", "ready.ask"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_question_that_a_dead_session_left_is_asked_anew(rig: Rig, does: Any, committed: bool) -> None:
    rig.world.will("ready.ask", does(outputs={"n": "1"}))
    rig.crash_at("probe_started", committed=committed)
    rig.crash(lambda: rig.start(POLLED))
    assert rig.resume().exit_code == 0
    assert set(rig.world.calls()) == {"a.run", "ready.ask", "b.run 1"}
    assert rig.events().count("task_waiting") == 1


def test_a_cancel_stops_a_question_and_ends_the_wait(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(waits=True))
    asked: list[Any] = []

    def cancel_once() -> None:
        if "ready.ask" in rig.world.calls() and not asked:
            asked.append(rig.another().cancel())

    rig.witness.at_tick = cancel_once
    assert rig.start(POLLED).status == "cancelled"
    assert rig.task("ready").status == "cancelled"
    assert rig.world.calls() == ["a.run", "ready.ask"]


def test_beside_a_failure_nobody_is_asked_and_what_was_said_is_in_the_journal(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.world.will("ready.ask", does(1))
    steps = """
steps:
  - {id: ready, wait_for: {run: [ACT, ask], every: 10ms}}
  - {id: b, needs: [], run: [ACT, run]}
"""
    assert rig.start(steps).status == "failed"
    assert (rig.task("ready").status, rig.task("ready").waiting.times) == (
        "waiting",
        rig.world.calls().count("ready.ask"),
    )


def test_a_fan_out_polls_target_by_target(rig: Rig, does: Any) -> None:
    rig.world.will("ready.t1.ask", does(1), does(0))
    steps = """
steps:
  - id: fan
    targets: [t1, t2]
    max_parallel: 2
    steps:
      - {id: ready, wait_for: {run: [ACT, ask], every: 20ms, timeout: 1h}}
      - {id: act, run: [ACT, run]}
"""
    assert rig.start(steps).exit_code == 0
    calls = rig.world.calls()
    assert [calls.count(call) for call in ("ready.t1.ask", "ready.t2.ask", "act.t1.run", "act.t2.run")] == [2, 1, 1, 1]


def test_a_poll_takes_a_place_only_while_it_is_asked(rig: Rig, does: Any) -> None:
    rig.world.will("ready.ask", does(1))
    outcome = rig.start(
        """
max_parallel: 1
steps:
  - {id: ready, wait_for: {run: [ACT, ask], every: 1h}}
  - {id: b, needs: [], run: [ACT, run]}
  - {id: c, run: [ACT, run]}
""",
        park=True,
    )
    assert outcome.status == "waiting"
    assert rig.world.calls() == ["ready.ask", "b.run", "c.run"]


@pytest.mark.parametrize(
    ("spec", "why"), [("every", "a duration needs a unit"), ("timeout", "a duration needs a unit")]
)
def test_a_rhythm_that_can_not_be_read_fails_the_step(rig: Rig, spec: str, why: str) -> None:
    steps = f"""
inputs: {{x: {{default: '5'}}}}
steps:
  - {{id: ready, wait_for: {{run: [ACT, ask], {spec}: "${{{{ inputs.x }}}}"}}}}
"""
    assert rig.start(steps, inputs={"x": "5"}).exit_code == 1
    assert why in rig.task("ready").reason
    assert rig.world.calls() == []


@pytest.mark.parametrize("wait", ["wait: 1h", "wait_for: {run: [ACT, ask], every: 1h, timeout: 9h}"])
def test_what_a_changed_runbook_has_made_another_step_of_is_that_step(rig: Rig, does: Any, wait: str) -> None:
    """Its time is over, or it is asked, under the new runbook, which has it do something."""
    rig.world.will("ready.ask", does(1))
    steps = f"steps:\n  - {{id: ready, {wait}}}\n  - {{id: b, run: [ACT, run]}}\n"
    assert rig.start(steps, park=True).status == "waiting"
    rig.pass_time(2)
    assert rig.resume(change=steps.replace(wait, "run: [ACT, work]")).status == "succeeded"
    assert [call for call in rig.world.calls() if call != "ready.ask"] == ["ready.work", "b.run"]
