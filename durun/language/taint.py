"""What is secret: which expressions read a secret, and which outputs are made of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from durun.language.expressions import PathPart, expressions_in, references
from durun.language.graph import Graph
from durun.model.runbook import Runbook, Step
from durun.model.values import Expression

Reads = Literal["", "secret", "part"]
"""What a path leads to: nothing secret, a secret, or a whole of which a part is secret."""


class Taint:
    """The secrets of one checked runbook."""

    def __init__(self, runbook: Runbook) -> None:
        self._graph = Graph(runbook)
        self._inputs = frozenset(name for name, declared in runbook.inputs.items() if declared.secret)
        self._any = bool(self._inputs or runbook.secrets) or any(map(_has_secrets, self._graph.steps.values()))
        self._outputs: dict[str, frozenset[str]] = {}
        self._known: dict[tuple[Expression, str | None], bool] = {}

    def of(self, expression: Expression, step_id: str | None) -> bool:
        """Whether an expression of this step (None: of the runbook) reads a secret, or a whole with one in it."""
        if not self._any:
            return False
        fan = self._graph.fan(step_id) if step_id in self._graph.steps else None
        known = self._known.get((expression, fan))
        if known is None:
            known = any(self.reads(found.path, fan) for found in references(expression))
            self._known[expression, fan] = known
        return known

    def outputs(self, step_id: str) -> frozenset[str]:
        """The names of the secret outputs of a step or group; a group's is secret if it is made of a secret."""
        found = self._outputs.get(step_id)
        if found is None:
            step = self._graph.steps[step_id]
            if step.include is not None:
                return frozenset(step.include.secret_outputs)
            found = self._outputs[step_id] = step.secret_outputs
            made = (name for name, value in step.group_outputs.items() if self._made_of_secret(value, step))
            found = self._outputs[step_id] = found.union(made)
        return found

    def _made_of_secret(self, value: object, step: Step) -> bool:
        return any(self.of(expression, step.id) for expression in expressions_in(value))

    def reads(self, path: Sequence[PathPart], fan: str | None) -> Reads:
        """What a path leads to. `fan` is the id of the fan-out of which one target is known where it is read."""
        match path:
            case ["secrets", str(), *_]:
                return "secret"
            case ["secrets", *_]:
                return "part"
            case ["inputs", *rest]:
                return _named(rest, self._inputs)
            case ["target", *rest] if fan is not None:
                fan_out = self._graph.steps[fan].fan_out
                return _named(rest, frozenset(fan_out.secret_fields if fan_out else ()))
            case ["steps", str(step), *rest] if step in self._graph.steps:
                return self._of_step(rest, self.outputs(step))
        return ""

    @staticmethod
    def _of_step(rest: Sequence[PathPart], secret: frozenset[str]) -> Reads:
        match rest:
            case ["targets", _, *one]:
                rest = one
            case ["targets"]:
                rest = []
        match rest:
            case ["status" | "evidence", *_]:
                return ""
            case ["outputs", *names]:
                return _named(names, secret)
        return "part" if secret else ""


def _named(rest: Sequence[PathPart], secret: frozenset[str]) -> Reads:
    """What is read of a mapping in which these names are secret."""
    if rest and rest[0] is not None:
        return "secret" if rest[0] in secret else ""
    return "part" if secret else ""


def _has_secrets(step: Step) -> bool:
    if step.include is not None and step.include.secret_outputs:
        return True
    return bool(step.secret_outputs) or (step.fan_out is not None and bool(step.fan_out.secret_fields))
