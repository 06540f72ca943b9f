"""Which declared secrets which steps name: what must be there at the start, and what is still wanted later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from durun.language.expressions import PathPart, expressions_in, references
from durun.language.places import Placed, When, places, places_of
from durun.model.runbook import Runbook, Secret, Step, inputs_step
from durun.model.task import ROLLBACK
from durun.model.values import Expression


def secrets_by_step(runbook: Runbook) -> Mapping[str, frozenset[str]]:
    """The id of each step and rollback that names secrets, and their names; what a group's outputs name is its own."""
    if not runbook.secrets:
        return {}
    found: dict[str, set[str]] = {}
    for prefix, place in _everywhere(runbook):
        names = {str(path[1]) for path in _paths(place.expression) if path[0] == "secrets" and len(path) > 1}
        if place.step is not None and names:
            found.setdefault(_reader(place.step, place.when), set()).update(prefix + name for name in names)
    return {step: frozenset(names & runbook.secrets.keys()) for step, names in found.items()}


def _reader(step: Step, when: When) -> str:
    """The step that reads an expression: what is given to an included runbook is read once, before its steps."""
    if when == "rollback":
        return f"{step.id}{ROLLBACK}"
    return inputs_step(step.id) if when == "inputs" else step.id


def _everywhere(runbook: Runbook) -> Iterator[tuple[str, Placed]]:
    """Every expression, also of included files, with what stands before the names of the secrets that it may read."""
    yield from (("", place) for place in places(runbook))
    for step in runbook.every_step():
        if step.include is not None:
            inside = (inner for inner in step.steps if inner.id != inputs_step(step.id))
            yield from ((f"{step.id}.", place) for inner in inside for place in places_of(inner, ()))
            outputs = expressions_in(step.group_outputs)
            yield from ((f"{step.id}.", Placed(expression, (), step, "group")) for expression in outputs)


def names_target(secret: Secret) -> bool:
    """Whether the secret is another one for each target: then it can be had only when its step is reached."""
    return any(path[0] == "target" for one in expressions_in(secret.spec) for path in _paths(one))


def _paths(expression: Expression) -> list[tuple[PathPart, ...]]:
    return [reference.path for reference in references(expression)]
