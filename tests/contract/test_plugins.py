"""Every engine does a step by a plugin alike: what is held against its schema, what is retried, how a doubt ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from durun.actions.api import Process
from durun.actions.table import ACTIONS
from durun.model.plugin import Plugin
from durun.model.runbook import Output

if TYPE_CHECKING:
    from contract.engines.rig import Rig


STEPS = """
inputs: {n: {type: integer, required: true}}
steps:
  - id: a
    uses: shop.ticket
    with: {n: "${{ inputs.n }}"}
    retry: {max_attempts: 3, delay: 0s}
  - {id: b, run: [ACT, run, "${{ steps.a.outputs.number }}"]}
"""
TICKET = Plugin(
    "shop.ticket", "durun-shop", "1.0", {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}},
    {"number": Output("integer")}, verifies=True,
)  # fmt: skip


@pytest.fixture
def shop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The rig with a plugin, whose code the world plays: `STEP.do` and `STEP.ask`."""
    program = rig.world.text("[ACT]").rpartition("[")[2].strip("]").split(", ")

    def played(kind: str) -> Any:
        def prepare(spec: Any, shell: Any, context: Any) -> Process:
            context.fitting_plugin(spec["uses"], context.render(spec["with"]))
            return Process(argv=(*program, kind))

        return prepare

    monkeypatch.setitem(ACTIONS, "uses", played("do"))  # type: ignore[misc]
    monkeypatch.setitem(ACTIONS, "uses_check", played("ask"))  # type: ignore[misc]
    rig.plugin = lambda name: TICKET  # type: ignore[assignment]
    return rig


def test_its_outputs_are_read_by_later_steps(shop: Rig, does: Any) -> None:
    shop.world.will("a.do", does(0, outputs={"number": "7"}))
    assert shop.start(STEPS, inputs={"n": 1}).exit_code == 0
    assert shop.world.calls() == ["a.do", "b.run 7"]


def test_what_does_not_fit_is_not_begun(shop: Rig) -> None:
    assert shop.start(STEPS, inputs={"n": 9}).exit_code == 1
    assert shop.world.calls() == []
    assert shop.task("a").reason.startswith("`with` of shop.ticket at `n` must be at most 5")


@pytest.mark.parametrize(("code", "attempts"), [(1, 3), (75, 3), (65, 1)])
def test_only_what_may_help_is_tried_again(shop: Rig, does: Any, code: int, attempts: int) -> None:
    shop.world.will("a.do", does(code))
    assert shop.start(STEPS, inputs={"n": 1}).exit_code == 1
    assert shop.world.calls() == ["a.do"] * attempts


@pytest.mark.parametrize("end", [{"exit_code": 76}, {"signal": 9}])
def test_it_ends_its_own_doubt(shop: Rig, does: Any, end: dict[str, int]) -> None:
    shop.world.will("a.do", does(**end), does(0, outputs={"number": "7"}))
    shop.world.will("a.ask", does(1), does(0))
    assert shop.start(STEPS, inputs={"n": 1}).exit_code == 0
    assert shop.world.calls() == ["a.do", "a.ask", "a.do", "b.run 7"]
    assert shop.task("a").how == "ran"


def test_what_it_finds_done_is_done(shop: Rig, does: Any) -> None:
    shop.world.will("a.do", does(76))
    shop.world.will("a.ask", does(0, outputs={"number": "8"}))
    assert shop.start(STEPS, inputs={"n": 1}).exit_code == 0
    assert shop.world.calls() == ["a.do", "a.ask", "b.run 8"]
    assert (shop.task("a").how, shop.task("a").outputs) == ("verified", {"number": 8})


def test_what_it_can_t_tell_stays_in_doubt(shop: Rig, does: Any) -> None:
    shop.world.will("a.do", does(76))
    shop.world.will("a.ask", does(2))
    assert shop.start(STEPS, inputs={"n": 1}).exit_code == 3
    assert shop.world.calls() == ["a.do", "a.ask"]
