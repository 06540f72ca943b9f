"""What every engine promises of steps that wait for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract.engines.rig import Rig


PAUSED = """
steps:
  - {id: a, run: [ACT, run]}
  - {id: pause, wait: 300ms}
  - {id: b, run: [ACT, run]}
"""


def test_a_wait_is_over_at_its_time_and_no_process_was_needed(rig: Rig) -> None:
    assert rig.start(PAUSED).exit_code == 0
    assert rig.world.calls() == ["a.run", "b.run"]
    waited = rig.journal.events(rig.run, types=["task_waiting"])[0]
    done = next(e for e in rig.journal.events(rig.run, types=["task_succeeded"]) if e.event.step == "pause")
    assert done.at >= waited.event.until >= waited.at + 0.3
    assert rig.task("pause").attempts == () and rig.task("pause").waiting is None


def test_a_run_that_parks_is_left_and_its_wait_goes_on_without_it(rig: Rig) -> None:
    outcome = rig.start(PAUSED.replace("300ms", "1h"), park=True)
    assert (outcome.status, outcome.exit_code) == ("waiting", 5)
    assert rig.world.calls() == ["a.run"]
    until = rig.task("pause").waiting.until
    again = rig.resume(park=True)
    assert (again.status, again.exit_code) == ("waiting", 5)
    assert rig.task("pause").waiting.until == until
    assert rig.events().count("task_waiting") == 1


def test_a_wait_whose_time_has_come_is_over_when_the_run_is_taken_up(rig: Rig) -> None:
    outcome = rig.start(PAUSED.replace("300ms", '{until: "2001-01-01T00:00:00Z"}'), park=True)
    assert (outcome.status, rig.world.calls()) == ("succeeded", ["a.run", "b.run"])


def test_a_crash_does_not_begin_a_wait_anew(rig: Rig) -> None:
    rig.crash_at("task_waiting", committed=True)
    rig.crash(lambda: rig.start(PAUSED))
    until = rig.task("pause").waiting.until
    assert rig.resume().exit_code == 0
    assert rig.event("task_waiting")["until"] == until
    assert rig.events().count("task_waiting") == 1


def test_what_stands_beside_a_wait_goes_on(rig: Rig) -> None:
    outcome = rig.start(
        """
steps:
  - {id: pause, wait: 1h}
  - {id: b, needs: [], run: [ACT, run]}
  - {id: c, run: [ACT, run]}
""",
        park=True,
    )
    assert outcome.status == "waiting"
    assert rig.world.calls() == ["b.run", "c.run"]


def test_beside_a_failure_nobody_waits_on(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1), does(0))
    steps = "steps:\n  - {id: pause, wait: 1h}\n  - {id: b, needs: [], run: [ACT, run]}\n"
    assert (rig.start(steps).status, rig.task("pause").status) == ("failed", "waiting")
    until = rig.task("pause").waiting.until
    assert rig.resume(park=True).status == "waiting"
    assert rig.task("pause").waiting.until == until


def test_a_cancel_ends_a_wait(rig: Rig) -> None:
    rig.start(PAUSED.replace("300ms", "1h"), park=True)
    assert (rig.cancel().status, rig.task("pause").status) == ("cancelled", "cancelled")
    assert rig.world.calls() == ["a.run"]


def test_a_fan_out_waits_target_by_target(rig: Rig) -> None:
    steps = """
steps:
  - id: fan
    targets: [t1, t2]
    max_parallel: 2
    steps:
      - {id: pause, wait: 200ms}
      - {id: act, run: [ACT, run]}
"""
    assert rig.start(steps).exit_code == 0
    assert sorted(rig.world.calls()) == ["act.t1.run", "act.t2.run"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [('"${{ inputs.x }}"', "a duration needs a unit"), ('{until: "${{ inputs.x }}"}', "a time is written as")],
)
def test_a_wait_that_can_not_be_read_fails_its_step(rig: Rig, spec: str, why: str) -> None:
    steps = f"inputs: {{x: {{default: '5'}}}}\nsteps:\n  - {{id: pause, wait: {spec}}}\n"
    assert rig.start(steps, inputs={"x": "5"}).exit_code == 1
    assert why in rig.task("pause").reason
