from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durun.engine.ledger import Ledger
from durun.engine.targets import Targets
from durun.engine.tasks import Tasks
from durun.language.expressions import ExpressionError
from durun.language.targets import TargetError
from durun.model import event as ev
from durun.model.event import RunCreated, encode
from durun.model.task import Target, TaskKey

FAN = TaskKey("fan")


class Deaf:
    """An observer that hears nothing."""

    def saw(self, events: Any, state: Any) -> None:
        return


@pytest.fixture
def made(told: Callable[..., Any]) -> Callable[..., tuple[Targets, Ledger]]:
    """The targets of a run with a fan-out of this source; `files` can be read, `only` were chosen."""

    def make(
        source: str, files: dict[str, bytes] | None = None, only: Any = (), more: str = "", **inputs: Any
    ) -> tuple[Targets, Ledger]:
        run = told(
            f"inputs: {{given: {{type: array}}, name: {{}}}}\nsteps:\n  - {{id: fan, {source}, run: x}}\n{more}",
            **inputs,
        )
        run.state.created = RunCreated(**{**encode(run.state.created), "only_targets": only})
        ledger = Ledger(run.journal, run.state, run.plan, run.clock, Deaf())  # type: ignore[arg-type]

        def read(name: str, private: bool) -> bytes:
            if name not in (files or {}):
                raise TargetError(f"no {name}")
            return (files or {})[name]

        return Targets(ledger, Tasks(run.state, run.plan, run.runbook, run.clock), read), ledger

    return make


def listed(targets: Targets, ledger: Ledger) -> Any:
    """Resolve by the runbook's own list; what was fixed."""
    fan_out = targets._tasks.step(FAN).fan_out
    assert fan_out is not None
    targets.resolve(FAN, targets.listed(FAN, fan_out.source))
    return dict(ledger.state.resolved["fan", 0].index)


def test_a_list_an_expression_and_a_file_give_targets(made: Callable[..., Any]) -> None:
    assert listed(*made("targets: [a, b]")) == {"a": "a", "b": "b"}
    assert listed(*made("targets: '${{ inputs.given }}'", given=["x", {"name": "y"}])) == {"x": "x", "y": {"name": "y"}}
    files = {"prod.yaml": b"[{host: h1, port: 1}]"}
    assert listed(*made("targets: {file: '${{ inputs.name }}.yaml'}", files, name="prod")) == {
        "h1": {"host": "h1", "port": 1}
    }


def test_a_matrix_has_every_combination(made: Callable[..., Any]) -> None:
    key = "target_key: '${{ target.zone }}${{ target.size }}'"
    source = "targets: {matrix: {zone: [n, s], size: '${{ inputs.given }}'}}, " + key
    assert list(listed(*made(source, given=[1, 2]))) == ["n1", "n2", "s1", "s2"]


def test_a_key_may_ask_the_inputs(made: Callable[..., Any]) -> None:
    source = "targets: [a, b], target_key: '${{ inputs.name }}-${{ target }}'"
    assert list(listed(*made(source, name="web"))) == ["web-a", "web-b"]


def test_what_a_command_printed_gives_targets(made: Callable[..., Any]) -> None:
    targets, ledger = made("targets: {run: [list]}")
    targets.from_stdout(FAN, b"one\n\n two \n\xff\n")
    assert list(ledger.state.resolved["fan", 0].index) == ["one", "two", "�"]


def test_targets_are_counted_by_the_steps_they_make(made: Callable[..., Any]) -> None:
    targets, ledger = made("targets: [a, b, c]", more="  - {id: last, run: x}\n")
    assert ledger.state.record.total == 2
    listed(targets, ledger)
    assert ledger.state.record.total == 4


def test_a_fan_out_that_is_skipped_has_no_targets(made: Callable[..., Any]) -> None:
    targets, ledger = made("targets: [a]")
    targets.skip(FAN)
    assert (ledger.state.resolved["fan", 0].skipped, ledger.state.record.total) == (True, 0)


def test_only_the_chosen_targets_are_fixed_in_the_order_of_the_list(made: Callable[..., Any]) -> None:
    assert list(listed(*made("targets: [a, b, c]", only=["c", "a"]))) == ["a", "c"]


def test_a_chosen_target_that_is_not_there_is_refused(made: Callable[..., Any]) -> None:
    with pytest.raises(TargetError) as refused:
        listed(*made("targets: [a]", only=["a", "z", "y"]))
    assert refused.value.message == "fan has no target z, y"


def test_among_several_fan_outs_a_chosen_target_may_be_of_another(made: Callable[..., Any]) -> None:
    more = "  - {id: other, targets: [z], run: x}\n"
    assert list(listed(*made("targets: [a]", only=["a", "z"], more=more))) == ["a"]
    with pytest.raises(TargetError):
        listed(*made("targets: [b]", only=["a", "z"], more=more))


@pytest.mark.parametrize(
    ("source", "inputs", "error", "why"),
    [
        ("targets: {file: gone.yaml}", {}, TargetError, "no gone.yaml"),
        ("targets: {file: bad.yaml}", {}, TargetError, "bad.yaml"),
        ("targets: '${{ inputs.given }}'", {"given": ["a", "a"]}, TargetError, "same key `a`"),
        ("targets: '${{ inputs.given[0] }}'", {"given": ["text"]}, TargetError, "must be a list"),
        ("targets: '${{ inputs.given[7] }}'", {"given": []}, ExpressionError, "given"),
    ],
)
def test_what_is_no_list_of_targets_is_refused(
    made: Callable[..., Any], source: str, inputs: Any, error: type[Exception], why: str
) -> None:
    targets, ledger = made(source, {"bad.yaml": b"a: b"}, **inputs)
    with pytest.raises(error, match=why):
        listed(targets, ledger)
    assert ledger.state.resolved == {}


def test_a_file_that_lists_others_now_is_told_and_nothing_else(made: Callable[..., Any]) -> None:
    files = {"prod.yaml": b"[a, b]"}
    targets, ledger = made("targets: {file: prod.yaml}", files)
    assert targets.differing() == []
    listed(targets, ledger)
    assert targets.differing() == []
    files["prod.yaml"] = b"[a, c]"
    assert targets.differing() == ["the targets of fan are listed differently now; those of the start hold"]
    del files["prod.yaml"]
    assert len(targets.differing()) == 1
    ledger.emit(ev.TargetsResolved(step="fan", targets=[Target("a", "a")], tasks=1, skipped=True))
    assert targets.differing() == []
