from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durun.engine.stored import stored_plan, stored_runbook

TEXT = """
steps:
  - id: a
    targets: [x, y]
    max_parallel: "${{ 7 if env.REGION == 'north' else 1 }}"
    run: x
"""


def test_a_run_has_the_runbook_and_the_environment_of_its_start(told: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("REGION", "south")
    run = told(TEXT)
    assert stored_runbook(run.state) == run.runbook
    assert stored_plan(run.state, run.runbook) == run.plan
    assert run.plan.nodes["a"].fan_out.max_parallel == 7
