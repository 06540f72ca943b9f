"""Every engine keeps this contract: the local one with its processes, and one in memory that only plays them.

More of it is in the files beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract.engines.books import ABC, FAN, chain
from durun.journal.api import RunQuery, SequenceConflict
from durun.model import event as ev

if TYPE_CHECKING:
    from contract.engines.rig import Rig


# -- running ---------------------------------------------------------------------------------------------------


def test_a_run_goes_to_its_end(rig: Rig) -> None:
    outcome = rig.start(ABC)
    assert (outcome.status, outcome.exit_code, outcome.driver) == ("succeeded", 0, "self")
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert rig.statuses() == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert rig.events()[:2] == ["run_created", "session_started"]
    assert rig.events()[-1] == "run_ended"


def test_every_intent_is_recorded_before_its_step_begins(rig: Rig) -> None:
    begun: list[int] = []

    def committed(events: Any) -> None:
        begun.extend(len(rig.world.calls()) for event in events if isinstance(event, ev.TaskStarted))

    rig.journal.after = committed
    rig.start(ABC)
    assert begun == [0, 1, 2]


def test_outputs_inputs_and_targets_reach_the_steps(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"port": 443, "name": "web"}))
    outcome = rig.start(
        """
inputs: {who: {type: string, required: true}}
outputs: {port: "${{ steps.a.outputs.port }}", hosts: "${{ inputs.who }}s"}
steps:
  - {id: a, run: [ACT, run, "${{ inputs.who }}"], outputs: {port: {type: integer}, name: {}}}
  - id: b
    targets: [{name: x, ip: 10.0.0.1}]
    run: [ACT, run, "${{ steps.a.outputs.name }}", "${{ target.ip }}", "${{ steps.a.outputs.port + 1 }}"]
  - {id: c, run: [ACT, run, "${{ steps.b.targets.x.status }}"]}
""",
        inputs={"who": "ada"},
    )
    assert outcome.status == "succeeded"
    assert rig.world.calls() == ["a.run ada", "b.x.run web 10.0.0.1 444", "c.run succeeded"]
    assert rig.task("a").outputs == {"port": 443, "name": "web"}
    assert outcome.state is not None
    assert outcome.state.record.outputs == {"port": 443, "hosts": "adas"}


def test_a_step_that_gives_the_wrong_outputs_has_failed(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"port": "many"}))
    outcome = rig.start(
        "steps:\n  - {id: a, run: [ACT, run], outputs: {port: {type: integer}}, retry: {max_attempts: 3}}"
    )
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert rig.task("a").code == "outputs"
    assert rig.world.calls() == ["a.run"]


def test_what_needs_no_process_is_done_at_once(rig: Rig) -> None:
    outcome = rig.start(
        """
steps:
  - {id: id, generate: {uuid: {}}}
  - {id: sure, assert: {that: "${{ steps.id.outputs.uuid | length == 36 }}"}}
  - {id: not, if: "${{ steps.id.outputs.uuid == '' }}", run: [ACT, run]}
  - {id: never, assert: {that: "${{ steps.not.status != 'skipped' }}", message: it was skipped}}
"""
    )
    assert outcome.status == "failed"
    assert rig.statuses() == {"id": "succeeded", "sure": "succeeded", "not": "skipped", "never": "failed"}
    assert rig.task("never").reason == "it was skipped"
    assert rig.world.calls() == []


def test_finally_runs_at_every_end_and_knows_it(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(7), does())
    book = chain("a") + 'finally:\n  - {id: clean, run: [ACT, run, "${{ run.status }}"]}\n'
    assert rig.start(book).status == "failed"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "clean.run failed", "a.run", "clean.run succeeded"]
    assert rig.task("clean", round_=1).status == rig.task("clean", round_=2).status == "succeeded"


def test_a_finally_that_fails_fails_the_run(rig: Rig, does: Any) -> None:
    rig.world.will("clean.run", does(1))
    outcome = rig.start(chain("a") + "finally:\n  - {id: clean, run: [ACT, run]}\n")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)


# -- failing ---------------------------------------------------------------------------------------------------


def test_a_failing_step_stops_the_run_and_a_resume_goes_on_there(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(7), does(8), does())
    outcome = rig.start(ABC)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert rig.world.calls() == ["a.run", "b.run"]
    assert (rig.task("b").exit_code, rig.task("b").code) == (7, "exit")
    assert rig.resume().status == "failed"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "b.run", "b.run", "c.run"]
    assert [attempt.exit_code for attempt in rig.task("b").attempts] == [7, 8, 0]
    assert [attempt.session for attempt in rig.task("b").attempts] == [1, 2, 3]
    assert rig.journal.record(rig.run).round == 3


def test_a_resume_gives_a_fresh_budget_unless_it_is_told_not_to(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(7))
    rig.start("steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 2, delay: 0s}}")
    assert len(rig.world.calls()) == 2
    assert rig.resume(fresh=False).status == "failed"
    assert len(rig.world.calls()) == 2
    assert rig.resume().status == "failed"
    assert len(rig.world.calls()) == 4
    assert rig.task("a").failures == 2


def test_the_retry_policy_looks_at_exit_codes(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(3), does(75), does(9), does())
    book = "steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 9, delay: 0s, on_exit_codes: [3]}}"
    assert rig.start(book).status == "failed"
    assert [attempt.exit_code for attempt in rig.task("a").attempts] == [3, 75, 9]


def test_a_retry_waits_for_its_time(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1), does())
    book = "steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 2, delay: 100ms, jitter: 0}}"
    assert rig.start(book).status == "succeeded"
    first, second = rig.task("a").attempts
    assert first.ended_at is not None
    assert second.started_at - first.ended_at >= 0.0999


def test_an_expression_that_has_no_value_fails_its_step_before_anything_begins(rig: Rig) -> None:
    book = """
steps:
  - {id: a, run: [ACT, run], retry: {max_attempts: 3}, if: "${{ inputs.hosts[3] == 'x' }}"}
inputs: {hosts: {type: array, default: []}}
"""
    outcome = rig.start(book, inputs={"hosts": []})
    assert outcome.status == "failed"
    assert rig.task("a").code == "expression"
    assert rig.world.calls() == []


# -- fan-outs --------------------------------------------------------------------------------------------------


def test_max_failures_stops_a_fan_out_and_a_resume_tries_those_that_failed(rig: Rig, does: Any) -> None:
    for target in ("t1", "t3"):
        rig.world.will(f"fan.{target}.run", does(1), does())
    assert rig.start(FAN).status == "failed"
    assert rig.world.calls() == ["fan.t1.run", "fan.t2.run", "fan.t3.run"]
    assert rig.statuses() == {"fan[t1]": "failed", "fan[t2]": "succeeded", "fan[t3]": "failed"}
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[3:] == ["fan.t1.run", "fan.t3.run", "fan.t4.run", "after.run"]


def test_failures_within_the_limit_let_the_fan_out_end_but_not_the_run_go_on(rig: Rig, does: Any) -> None:
    rig.world.will("fan.t2.run", does(1))
    assert rig.start(FAN).status == "failed"
    assert rig.world.calls() == [f"fan.t{n}.run" for n in (1, 2, 3, 4)]


@pytest.mark.fault(44)
def test_targets_are_listed_once_and_then_hold(rig: Rig, does: Any) -> None:
    rig.world.will("fan.list", does(stdout="t1\nt2\n"), does(stdout="other\n"))
    rig.world.will("fan.t2.run", does(1), does())
    book = "steps:\n  - {id: fan, targets: {run: [ACT, list]}, run: [ACT, run]}\n"
    assert rig.start(book).status == "failed"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["fan.list", "fan.t1.run", "fan.t2.run", "fan.t2.run"]
    assert rig.journal.record(rig.run).total == 2


def test_targets_that_can_not_be_listed_fail_the_step(rig: Rig, does: Any) -> None:
    rig.world.will("fan.list", does(1), does(stdout='["t1"]'))
    book = "steps:\n  - {id: fan, targets: {run: [ACT, list]}, run: [ACT, run]}\n"
    assert rig.start(book).status == "failed"
    assert rig.task("fan").code == "targets"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["fan.list", "fan.list", "fan.t1.run"]


def test_only_chosen_targets_are_worked_at(rig: Rig) -> None:
    assert rig.start(FAN, only_targets=["t3", "t1"]).status == "succeeded"
    assert rig.world.calls() == ["fan.t1.run", "fan.t3.run", "after.run"]


# -- what the caller hears -------------------------------------------------------------------------------------


def test_a_request_id_starts_one_run(rig: Rig) -> None:
    first = rig.start(ABC, request_id="ticket-1")
    assert rig.journal.record(first.run_id).request_id == "ticket-1"
    with pytest.raises(SequenceConflict) as refused:
        rig.start(ABC, request_id="ticket-1")
    assert "ticket-1" in refused.value.message
    assert [record.id for record in rig.journal.runs(RunQuery())] == [first.run_id]
    assert len(rig.world.calls()) == 3


def test_a_run_is_not_started_beside_an_unfinished_one_of_the_same_inputs(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1), does(0))
    first = rig.start(ABC, alone=True)
    assert first.status == "failed"
    with pytest.raises(SequenceConflict) as refused:
        rig.start(ABC, alone=True)
    assert f"run {first.run_id} is there already" in refused.value.message
    assert rig.world.calls() == ["a.run", "b.run"]
    assert rig.resume().status == "succeeded"
    rig.run = ""
    assert rig.start(ABC, alone=True).run_id != first.run_id


def test_everything_that_crosses_the_seam_is_plain_data(rig: Rig, does: Any) -> None:
    from contract.engines.wire_form import post
    from durun.actions.api import Done, Failed, Process
    from durun.language.plan import make_plan

    rig.world.will("fan.t1.run", does(76))
    outcome = rig.start(FAN)
    assert outcome.state is not None
    runbook = rig.source(FAN).runbook
    plan = make_plan(runbook, {}, {}, rig.run)
    works = [Process(argv=("a", "b")), Process(script="x"), Done({"a": [1, None]}), Failed("code", "reason")]
    for value in [outcome, runbook, plan, *works, *rig.journal.events(rig.run)]:
        assert post(value) == value
    with pytest.raises(TypeError):
        post(lambda: None)
