"""The first runbook that anyone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "hello.yaml"


def test_it_greets_three_planets_in_order(durun: Any) -> None:
    durun("run", RUNBOOK, "-i", "greeting=Good morning", "-i", "seconds=0")
    said = durun("logs", durun.run_id())
    places = [said.index(f"Good morning, {planet}!") for planet in ("mercury", "venus", "earth")]
    assert places == sorted(places)
    assert "all greeted" in said
