"""Every engine keeps this contract: the local one with its processes, and one in memory that only plays them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from durun.errors import Busy, Changed, GroupHeld, NoSuchRun, NotAllowed, StorageFailed
from durun.journal.api import RunQuery, SequenceConflict
from durun.model import event as ev
from durun.model.task import TaskKey

if TYPE_CHECKING:
    from contract_engines.rig import Rig
    from contract_engines.script import Does


def chain(*steps: str) -> str:
    """Steps of these names, one after the other."""
    return "steps:\n" + "".join(f"  - {{id: {step}, run: [ACT, run]}}\n" for step in steps)


ABC = chain("a", "b", "c")

FAN = """
steps:
  - id: fan
    targets: [t1, t2, t3, t4]
    max_parallel: 1
    max_failures: 1
    run: [ACT, run]
  - {id: after, run: [ACT, run]}
"""


def verified(more: str = "", policy: str = "on_in_doubt: verify") -> str:
    return f"""
steps:
  - id: a
    run: [ACT, run]
    verify: {{run: [ACT, verify], not_done_on: [4]{more}}}
    {policy}
    outputs: {{x: {{}}}}
  - {{id: b, run: [ACT, run, "${{{{ steps.a.outputs.x }}}}"]}}
"""


# -- running --------------------------------------------------------------------------------------------------


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


# -- failing --------------------------------------------------------------------------------------------------


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


# -- fan-outs -------------------------------------------------------------------------------------------------


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


# -- verify ---------------------------------------------------------------------------------------------------


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


# -- settling -------------------------------------------------------------------------------------------------


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


# -- cancelling -----------------------------------------------------------------------------------------------


def test_cancel_of_a_run_that_nobody_drives(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC + "finally:\n  - {id: clean, run: [ACT, run]}\n"))
    assert rig.journal.record(rig.run).status == "running"
    outcome = rig.cancel()
    assert (outcome.status, outcome.exit_code, outcome.driver) == ("cancelled", 12, "self")
    assert rig.world.calls() == ["a.run", "clean.run"]
    assert rig.journal.record(rig.run).reason == "enough"


def test_cancel_of_a_run_that_is_in_doubt_ends_with_the_last_settle(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.start(ABC)
    outcome = rig.cancel()
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.journal.record(rig.run).cancel_requested
    outcome = rig.settle("a", "not_done")
    assert (outcome.status, outcome.exit_code) == ("cancelled", 12)
    assert rig.world.calls() == ["a.run"]
    assert rig.journal.record(rig.run).reason == "enough"


def test_cancel_of_a_failed_run_gives_it_up(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    assert rig.cancel().status == "cancelled"
    assert rig.world.calls() == ["a.run", "b.run"]
    assert rig.journal.record(rig.run).reason == "enough"
    with pytest.raises(NotAllowed):
        rig.resume()


def test_a_cancel_that_meets_a_run_which_has_just_failed_gives_it_up(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC + 'finally:\n  - {id: clean, run: [ACT, run, "${{ run.status }}"]}\n')
    record = rig.journal.record

    def a_moment_ago(run: str) -> Any:
        del rig.journal.record
        return record(run)._replace(status="running")

    rig.journal.record = a_moment_ago  # type: ignore[method-assign]
    assert rig.cancel().status == "cancelled"
    found = rig.journal.record(rig.run)
    assert (found.status, found.cancel_requested, found.reason) == ("cancelled", True, "enough")
    assert rig.world.calls() == ["a.run", "b.run", "clean.run failed", "clean.run cancelled"]


def test_a_cancel_that_somebody_else_carries_out_first_is_done(rig: Rig, crash: Any) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC))

    def somebody_else(events: Any) -> None:
        rig.journal.after = lambda events: None
        assert rig.another().resume().status == "cancelled"

    rig.journal.after = somebody_else
    outcome = rig.cancel()
    assert (outcome.status, outcome.driver) == ("cancelled", "self")
    assert rig.world.calls() == ["a.run"]
    assert rig.events().count("run_ended") == 1


def test_a_cancel_is_refused_once_finally_has_begun(rig: Rig) -> None:
    refused = []

    def cancel(events: Any) -> None:
        if any(isinstance(event, ev.FinallyStarted) for event in events):
            with pytest.raises(NotAllowed) as found:
                rig.another().cancel()
            refused.append(found.value.message)

    rig.journal.after = cancel
    assert rig.start(chain("a") + "finally:\n  - {id: clean, run: [ACT, run]}\n").status == "succeeded"
    assert refused == [f"the steps of run {rig.run} are over, and its `finally` has begun"]
    assert rig.world.calls() == ["a.run", "clean.run"]
    assert not rig.journal.record(rig.run).cancel_requested


@pytest.mark.fault(13)
@pytest.mark.parametrize("verb", ["resume", "cancel"])
@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_what_has_ended_for_good_stays_so(rig: Rig, does: Any, verb: str, end: str) -> None:
    rig.world.will("b.run", does(1 if end == "cancelled" else 0))
    rig.start(ABC)
    if end == "cancelled":
        rig.cancel()
    head = rig.journal.head(rig.run)
    with pytest.raises(NotAllowed) as refused:
        getattr(rig, verb)()
    assert refused.value.message == f"run {rig.run} has ended: {end}"
    assert f"nothing to {verb}" in refused.value.hint
    assert rig.journal.head(rig.run) == head


@pytest.mark.parametrize(
    ("idempotent", "standing", "status"), [(True, "cancelled", "cancelled"), (False, "in_doubt", "in_doubt")]
)
def test_cancel_by_another_process_stops_what_runs(
    rig: Rig, does: Any, idempotent: bool, standing: str, status: str
) -> None:
    rig.world.will("a.run", does(waits=True))
    asked = []

    def cancel_once() -> None:
        if rig.world.calls() and not asked:
            asked.append(rig.another().cancel())

    rig.witness.at_tick = cancel_once
    outcome = rig.start(
        f"steps:\n  - {{id: a, run: [ACT, run], idempotent: {str(idempotent).lower()}, on_in_doubt: ask}}"
    )
    assert [(other.driver, other.status) for other in asked] == [("other", "running")]
    assert (outcome.status, rig.task("a").status) == (status, standing)
    assert rig.world.calls() == ["a.run"]


@pytest.mark.parametrize("verb", ["resume", "cancel", "settle"])
def test_no_verb_finds_a_run_that_is_not_there(rig: Rig, verb: str) -> None:
    rig.start(ABC)
    rig.run = "nowhere"
    with pytest.raises(NoSuchRun):
        getattr(rig, verb)(*(["a", "done"] if verb == "settle" else []))


# -- a changed runbook ----------------------------------------------------------------------------------------


def test_a_run_goes_on_under_a_changed_runbook(rig: Rig, does: Any) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    changed = ABC.replace("{id: b, run: [ACT, run]}", "{id: b, run: [ACT, other]}") + chain("d").removeprefix(
        "steps:\n"
    )
    assert rig.resume(change=changed).status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "b.other", "c.run", "d.run"]
    first, second = rig.task("b").attempts
    assert first.key != second.key
    assert rig.event("runbook_changed")["changes"] == rig.witness.notices
    assert any(line.startswith("+ d") for line in rig.witness.notices)
    assert rig.journal.record(rig.run).total == 4


def test_the_changed_runbook_is_the_runs_own_from_then_on(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.world.will("b.other", does(1), does())
    rig.start(ABC)
    rig.world.will("a.run", does())
    rig.resume(change=ABC.replace("{id: b, run: [ACT, run]}", "{id: b, run: [ACT, other]}"))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls()[-3:] == ["b.other", "b.other", "c.run"]


@pytest.mark.parametrize(
    "change", [chain("b", "c"), chain("z", "b", "c"), ABC.replace("id: a,", "id: a, targets: [x],")]
)
def test_a_step_that_is_done_can_not_be_removed_renamed_or_rekeyed(rig: Rig, does: Any, change: str) -> None:
    rig.world.will("b.run", does(1))
    rig.start(ABC)
    head = rig.journal.head(rig.run)
    with pytest.raises(Changed) as refused:
        rig.resume(change=change)
    assert "step a is done or in doubt" in refused.value.message
    assert rig.journal.head(rig.run) == head
    assert rig.resume(change=chain("a", "c")).status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]


def test_one_key_never_carries_two_requests(rig: Rig, does: Any) -> None:
    book = "env: {A: one}\nsteps:\n  - {id: a, run: [ACT, run], idempotent: true, on_in_doubt: ask}\n"
    rig.world.will("a.run", does(76), does())
    assert rig.start(book).status == "in_doubt"
    head = rig.journal.head(rig.run)
    again = book.replace("on_in_doubt: ask", "on_in_doubt: rerun")
    rig.crash(lambda: rig.resume(change=again.replace("one", "two")), Changed)
    assert rig.journal.head(rig.run) == head
    assert rig.resume(change=again).status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.run"]


# -- one driver, many voices ----------------------------------------------------------------------------------


@pytest.mark.fault(12)
def test_two_engines_can_not_drive_one_run(rig: Rig) -> None:
    refused = []

    def resume_too(event: ev.Event) -> None:
        if isinstance(event, ev.TaskStarted) and event.step == "b":
            with pytest.raises(Busy):
                rig.another().resume()
            refused.append(event)

    rig.witness.at_event = resume_too
    assert rig.start(ABC).status == "succeeded"
    assert len(refused) == 1
    assert rig.journal.record(rig.run).sessions == 1


def meddle(rig: Rig, kind: str, step: str, foreign: Callable[[], ev.Event]) -> None:
    """Somebody else appends an event just before the first such event is committed."""

    def before(events: Any) -> None:
        if any(ev.type_of(event) == kind and event.step == step for event in events if isinstance(event, ev.TaskEvent)):
            rig.journal.before = lambda events: None
            run = rig.journal.find("@last")
            rig.another().journal.append(run, rig.journal.head(run), [foreign()], rig.journal.record(run).created_at)

    rig.journal.before = before


def test_a_cancel_between_decision_and_commit_starts_nothing_more(rig: Rig) -> None:
    meddle(rig, "task_started", "b", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    outcome = rig.start(ABC)
    assert outcome.status == "cancelled"
    assert rig.world.calls() == ["a.run"]
    assert rig.task("a").status == "succeeded"
    assert TaskKey("b") not in rig.journal.tasks(rig.run)


def test_a_settle_between_decision_and_commit_is_the_last_word(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76), does())
    word = ev.TaskSettled(step="a", resolution="not_done", reason="looked", by={"uid": 7})
    rig.start("steps:\n  - {id: a, run: [ACT, run]}\n  - {id: b, needs: [], run: [ACT, run]}")
    assert rig.statuses()["a"] == "in_doubt"
    meddled: list[bool] = []

    def before(events: Any) -> None:
        if not meddled:
            meddled.append(True)
            rig.another().journal.append(rig.run, rig.journal.head(rig.run), [word], rig.task("a").changed_at)

    rig.journal.before = before
    assert rig.resume().status == "succeeded"
    assert rig.world.calls().count("a.run") == 2


def test_a_foreign_event_beside_an_outcome_loses_neither(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "1"}))
    meddle(rig, "task_succeeded", "a", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    assert rig.start(verified()).status == "cancelled"
    assert (rig.task("a").status, rig.task("a").outputs) == ("succeeded", {"x": "1"})
    assert rig.world.calls() == ["a.run"]


# -- crashes --------------------------------------------------------------------------------------------------


@pytest.mark.fault(2)
def test_an_intent_that_was_never_carried_out_is_free(rig: Rig) -> None:
    rig.crash_at("task_started", "b", committed=True)
    rig.crash(lambda: rig.start(ABC))
    assert rig.task("b").status == "running"
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert [attempt.status for attempt in rig.task("b").attempts] == ["never_began", "succeeded"]
    assert (rig.task("b").fences, rig.task("b").failures) == (1, 0)


@pytest.mark.fault(1)
def test_a_start_that_is_not_recorded_did_not_happen(rig: Rig) -> None:
    rig.crash_at("task_started", "b", committed=False)
    rig.crash(lambda: rig.start(ABC))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert len(rig.task("b").attempts) == 1


@pytest.mark.fault(3, 4, 7)
@pytest.mark.parametrize(("end", "status"), [(0, "succeeded"), (7, "failed"), (76, "in_doubt")])
def test_a_step_that_outlived_its_engine_is_adopted(rig: Rig, does: Any, crash: Any, end: int, status: str) -> None:
    rig.world.will("a.run", does(end, waits=True, outputs={"x": "1"}))
    book = "steps:\n  - {id: a, run: [ACT, run], outputs: {x: {}}}"
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(book))
    rig.world.let_go()
    assert rig.resume(fresh=False).status == status
    assert (rig.task("a").status, rig.task("a").how) == (status, "adopted")
    assert rig.task("a").outputs == ({"x": "1"} if status == "succeeded" else {})
    assert rig.world.calls() == ["a.run"]


def test_a_step_that_still_runs_is_waited_for(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True))
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    let_go = []

    def at_tick() -> None:
        if not let_go:
            assert rig.task("a").status == "running"
            let_go.append(rig.world.let_go())

    rig.witness.at_tick = at_tick
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]
    assert rig.task("a").how == "adopted"


def test_a_foreign_event_beside_an_adopted_outcome_loses_neither(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True))
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    let_go = []
    rig.witness.at_tick = lambda: let_go or let_go.append(rig.world.let_go())
    meddle(rig, "task_succeeded", "a", lambda: ev.CancelRequested(reason="stop", by={"uid": 7}))
    assert rig.resume().status == "cancelled"
    assert (rig.task("a").status, rig.task("a").how) == ("succeeded", "adopted")
    assert rig.world.calls() == ["a.run"]


def test_a_stop_is_not_lost_with_a_commit_that_is_refused(rig: Rig, does: Any) -> None:
    """The turn that stops `a` also records the end of `b`, and somebody else is faster once more."""
    rig.world.will("a.run", does(waits=True))
    left = [1, 2]

    def before(events: Any) -> None:
        if left and any(isinstance(event, ev.TaskSucceeded) and event.step == "b" for event in events):
            wish = ev.CancelRequested(reason=f"stop {left.pop()}", by={"uid": 7})
            run = rig.journal.find("@last")
            rig.another().journal.append(run, rig.journal.head(run), [wish], rig.journal.record(run).created_at)

    rig.journal.before = before
    steps = "".join(f"  - {{id: {name}, needs: [], run: [ACT, run], idempotent: true}}\n" for name in "ab")
    assert rig.start(f"steps:\n{steps}").status == "cancelled"
    assert not left
    assert {"a": "cancelled", "b": "succeeded"}.items() <= rig.statuses().items()


@pytest.mark.fault(9)
def test_what_nobody_can_tell_about_is_in_doubt(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(waits=True), does())
    crash_when_begun(rig, crash)
    rig.crash(lambda: rig.start(ABC))
    rig.world.lose()
    outcome = rig.resume()
    assert (outcome.status, outcome.exit_code) == ("in_doubt", 3)
    assert rig.resume().status == "in_doubt"
    assert rig.world.calls() == ["a.run"]
    rig.settle("a", "not_done")
    assert rig.resume().status == "succeeded"


def test_a_question_that_was_lost_is_asked_anew(rig: Rig, does: Any, crash: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.world.will("a.verify", does(outputs={"x": "1"}))
    rig.crash_at("probe_answered", "a", committed=False)
    rig.crash(lambda: rig.start(verified()))
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "a.verify", "a.verify", "b.run 1"]


def crash_when_begun(rig: Rig, crash: type[BaseException]) -> None:
    def at_tick() -> None:
        if rig.world.calls():
            raise crash

    rig.witness.at_tick = at_tick


@pytest.mark.fault(45)
def test_a_crash_does_not_renew_the_limit_of_failures(rig: Rig, does: Any) -> None:
    rig.world.will("fan.t1.run", does(1))
    rig.world.will("fan.t2.run", does(1))
    rig.crash_at("task_started", target="t2", committed=False)
    rig.crash(lambda: rig.start(FAN))
    assert rig.resume().status == "failed"
    assert rig.world.calls() == ["fan.t1.run", "fan.t2.run"]


@pytest.mark.fault(45)
def test_a_crash_does_not_renew_the_budget_of_attempts(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(1))
    rig.crash_at("task_retried", committed=False)
    rig.crash(lambda: rig.start("steps:\n  - {id: a, run: [ACT, run], retry: {max_attempts: 2, delay: 0s}}"))
    assert rig.resume().status == "failed"
    assert rig.world.calls() == ["a.run", "a.run"]


@pytest.mark.fault(21)
def test_a_journal_that_refuses_stops_the_run_before_the_next_effect(rig: Rig) -> None:
    def full(events: Any) -> None:
        if any(isinstance(event, ev.TaskStarted) and event.step == "b" for event in events):
            raise StorageFailed("the disk is full", "make room")

    rig.journal.before = full
    rig.crash(lambda: rig.start(ABC), StorageFailed)
    assert rig.world.calls() == ["a.run"]
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]


# -- what the caller hears ------------------------------------------------------------------------------------


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


def test_an_observer_hears_what_others_say_in_its_place(rig: Rig) -> None:
    meddle(rig, "task_started", "b", lambda: ev.ClockJumped(expected=2.0, found=1.0))
    rig.start(ABC)
    heard = [ev.type_of(stamped.event) for stamped in rig.witness.told]
    assert heard.count("clock_jumped") == 1
    assert heard == rig.events()[1:]


def test_everything_that_crosses_the_seam_is_plain_data(rig: Rig, does: Any) -> None:
    from contract_engines.wire_form import post

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


# -- waiting --------------------------------------------------------------------------------------------------

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


# -- concurrency groups ---------------------------------------------------------------------------------------

GROUP = "concurrency: {group: db}\n" + ABC
LETS_GO = "concurrency: {group: db, release_on: [failed]}\n" + ABC


def other(**more: Any) -> ev.RunCreated:
    """A run of the group `db` that somebody else has asked for."""
    facts: dict[str, Any] = {
        "runbook": "other", "digest": "d", "text": "", "file": "f", "place": "/", "inputs": {}, "inputs_digest": "i",
        "tasks": 1, "by": {"uid": 1}, "version": "1", "surroundings": {"env": {}}, "concurrency_group": "db",
    }  # fmt: skip
    return ev.RunCreated(**{**facts, **more})


def somebody_is_faster(rig: Rig, kind: type[Any]) -> None:
    """Just before the commit of such an event somebody else takes the group."""

    def take(events: Any) -> None:
        if any(isinstance(event, kind) for event in events):
            rig.journal.before = lambda _: None
            rig.journal._journal.append("other", 0, [other()], 1.0)

    rig.journal.before = take


def test_a_start_is_refused_while_another_run_holds_its_group(rig: Rig) -> None:
    rig.journal.append("other", 0, [other()], 1.0)
    with pytest.raises(GroupHeld) as refused:
        rig.start(GROUP)
    assert (refused.value.holder, refused.value.group, refused.value.exit_code) == ("other", "db", 11)
    assert rig.world.calls() == []
    assert [record.id for record in rig.journal.runs(RunQuery())] == ["other"]


def test_of_two_starts_of_a_group_at_the_same_instant_one_is_refused(rig: Rig) -> None:
    somebody_is_faster(rig, ev.RunCreated)
    with pytest.raises(GroupHeld):
        rig.start(GROUP)
    assert rig.world.calls() == []
    assert [record.id for record in rig.journal.runs(RunQuery())] == ["other"]


def test_a_run_holds_its_group_until_it_is_over(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7), does())
    assert rig.start(GROUP).status == "failed"
    holder = rig.journal.group_holder("db")
    assert holder is not None and holder.id == rig.run
    assert rig.resume().status == "succeeded"
    assert rig.journal.group_holder("db") is None


def test_a_resume_takes_the_group_again_or_starts_nothing(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7), does())
    assert rig.start(LETS_GO).status == "failed"
    assert rig.journal.group_holder("db") is None
    before = rig.journal.head(rig.run)
    somebody_is_faster(rig, ev.SessionStarted)
    for _ in range(2):  # by a moment, and then by far
        with pytest.raises(GroupHeld):
            rig.resume()
    assert rig.journal.head(rig.run) == before
    assert rig.world.calls() == ["a.run", "b.run"]
    rig.journal.append("other", 1, [ev.RunEnded(status="cancelled", exit_code=12)], 2.0)
    assert rig.resume().status == "succeeded"


@pytest.mark.parametrize("by_a_moment", [False, True])
def test_a_run_that_parks_for_its_group_holds_it_not_and_is_taken_up_later(rig: Rig, by_a_moment: bool) -> None:
    if by_a_moment:
        somebody_is_faster(rig, ev.RunCreated)
    else:
        rig.journal.append("other", 0, [other()], 1.0)
    outcome = rig.start(GROUP.replace("db}", "db, on_conflict: wait}"), park=True)
    assert (outcome.status, outcome.exit_code, rig.world.calls()) == ("waiting", 5, [])
    record = rig.journal.record(outcome.run_id)
    assert record.reason == "run other holds the concurrency group `db`"
    assert not record.holds_group
    rig.run = outcome.run_id
    with pytest.raises(GroupHeld):
        rig.resume(park=True)
    rig.journal.append("other", 1, [ev.RunEnded(status="succeeded", exit_code=0)], 2.0)
    assert rig.resume().status == "succeeded"
    assert rig.world.calls() == ["a.run", "b.run", "c.run"]


def test_alone_is_looked_at_before_the_group(rig: Rig, does: Callable[..., Does]) -> None:
    rig.world.will("b.run", does(7))
    assert rig.start(GROUP, alone=True).status == "failed"
    with pytest.raises(SequenceConflict):
        rig.start(GROUP, alone=True)


# -- included runbooks ------------------------------------------------------------------------------------------

CALLING = """
inputs: {who: {default: ada}}
steps:
  - {id: a, run: [ACT, run], outputs: {x: {}}}
  - {id: call, runbook: {file: parts.yaml, inputs: {name: "${{ inputs.who }}-${{ steps.a.outputs.x }}", n: 2}}}
  - {id: b, run: [ACT, run, "${{ steps.call.outputs.both }}"]}
outputs: {both: "${{ steps.call.outputs.both }}"}
"""
PARTS = """
inputs: {name: {required: true, pattern: '^ada'}, n: {type: integer}, more: {default: d}}
steps:
  - {id: a, run: [ACT, run, "${{ inputs.name }}", "${{ inputs.more }}"], outputs: {x: {}}}
  - {id: b, run: [ACT, run], retry: {max_attempts: "${{ inputs.n }}", delay: 0s}}
outputs: {both: "${{ inputs.name }}/${{ steps.a.outputs.x }}"}
"""
INCLUDED = {"parts.yaml": PARTS}


def test_the_steps_of_an_included_runbook_see_their_own_names(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.world.will("call.b.run", does(7), does(0))
    outcome = rig.start(CALLING, INCLUDED, inputs={"who": "ada"})
    assert outcome.status == "succeeded"
    assert rig.world.calls() == [
        "a.run", "call.a.run ada-x-1 d", "call.b.run", "call.b.run", "b.run ada-x-1/x-2",
    ]  # fmt: skip
    assert rig.task("call:inputs").outputs == {"name": "ada-x-1", "n": 2, "more": "d"}
    assert rig.event("run_ended")["outputs"] == {"both": "ada-x-1/x-2"}
    assert rig.event("run_created")["steps"] == ["a", "call:inputs", "call.a", "call.b", "b"]
    assert rig.event("run_created")["included"].keys() == INCLUDED.keys()


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", ["task_started", "task_succeeded"])
@pytest.mark.parametrize("step", ["call:inputs", "call.a"])
@pytest.mark.fault(27)
def test_a_run_goes_on_inside_of_what_it_included(rig: Rig, does: Any, kind: str, step: str, committed: bool) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.crash_at(kind, step, committed=committed)
    rig.crash(lambda: rig.start(CALLING, INCLUDED, inputs={"who": "ada"}))
    outcome = rig.resume()
    if outcome.status == "in_doubt":
        rig.settle("call.a", "done", outputs={"x": "x-2"})
        outcome = rig.resume()
    assert outcome.status == "succeeded"
    assert rig.world.calls().count("call.a.run ada-x-1 d") <= 1
    assert rig.world.calls()[-1] == "b.run ada-x-1/x-2"


def test_inputs_that_do_not_fit_fail_before_anything_inside(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    outcome = rig.start(CALLING, INCLUDED, inputs={"who": "bob"})
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    failed = rig.task("call:inputs")
    assert (failed.code, failed.reason) == ("inputs", "parts.yaml: input `name` must match the pattern ^ada")
    assert rig.world.calls() == ["a.run"]


@pytest.mark.fault(27)
def test_a_changed_included_runbook_keeps_what_is_done(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(outputs={"x": "x-1"}))
    rig.world.will("call.a.run", does(outputs={"x": "x-2"}))
    rig.world.will("call.b.run", does(7))
    before = rig.start(CALLING, INCLUDED, inputs={"who": "ada"})
    assert before.status == "failed"
    digest = rig.event("run_created")["digest"]
    without = PARTS.replace("- {id: a, ", "- {id: other, ").replace("steps.a.", "steps.other.")
    with pytest.raises(Changed, match=r"step call\.a is done or in doubt"):
        rig.resume(change=CALLING, included={"parts.yaml": without})
    changed = PARTS.replace("id: b,", "id: c,")
    assert rig.resume(change=CALLING, included={"parts.yaml": changed}).status == "succeeded"
    assert rig.event("runbook_changed")["changes"] == ["- call.b: removed", "+ call.c: added"]
    assert rig.event("runbook_changed")["digest"] != digest
    assert rig.world.calls()[-2:] == ["call.c.run", "b.run ada-x-1/x-2"]
