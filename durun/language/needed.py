"""Which declared secrets which steps name: what must be there at the start, and what is still wanted later."""

from __future__ import annotations

from collections.abc import Mapping

from durun.language.expressions import PathPart, expressions_in, references
from durun.language.places import places
from durun.model.plan import ROLLBACK
from durun.model.runbook import Expression, Runbook, Secret


def secrets_by_step(runbook: Runbook) -> Mapping[str, frozenset[str]]:
    """The id of each step and rollback that names secrets, and their names; what a group's outputs name is its own."""
    if not runbook.secrets:
        return {}
    found: dict[str, set[str]] = {}
    for place in places(runbook):
        names = {str(path[1]) for path in _paths(place.expression) if path[0] == "secrets" and len(path) > 1}
        if place.step is not None and names:
            task = f"{place.step.id}{ROLLBACK}" if place.when == "rollback" else place.step.id
            found.setdefault(task, set()).update(names)
    return {step: frozenset(names & runbook.secrets.keys()) for step, names in found.items()}


def names_target(secret: Secret) -> bool:
    """Whether the secret is another one for each target: then it can be had only when its step is reached."""
    return any(path[0] == "target" for one in expressions_in(secret.spec) for path in _paths(one))


def _paths(expression: Expression) -> list[tuple[PathPart, ...]]:
    return [reference.path for reference in references(expression)]
