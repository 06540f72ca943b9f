"""Whose names a step sees: those of the file that it stands in, its inputs, its secrets, its steps, its variables."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Mapping
from typing import Any

from durun.language.expressions import ExpressionError, expressions_in, references, render
from durun.model.runbook import Include, Runbook, Step, inputs_step
from durun.model.values import Json, Value


class Frame:
    """One file, where it is included (or, without `outer`, the run's own runbook).

    `prefix` stands before the ids of its steps and the names of its secrets, `inputs_step` is the step that fixes its
    inputs, `names` are the ids of its own steps as it writes them.
    """

    __slots__ = ("holds", "inputs_step", "names", "outer", "prefix")

    def __init__(self, holds: Include, prefix: str = "", inputs: str = "", outer: Frame | None = None) -> None:
        self.holds = holds
        self.prefix = prefix
        self.inputs_step = inputs
        self.outer = outer
        self.names: list[str] = []

    def beside(self, path: str) -> str:
        """A path that is relative to the file, relative to the folder of the run's own runbook."""
        return posixpath.normpath(posixpath.join(self.holds.folder, path)) if self.holds.folder else path

    def early(self, inputs: Mapping[str, Json], env: Mapping[str, Json], run: Mapping[str, Json]) -> dict[str, Json]:
        """Those inputs of the file that are known before anything has been done, when the run has these.

        Raises ExpressionError.
        """
        if self.outer is None:
            return dict(inputs)
        around = {"inputs": self.outer.early(inputs, env, run), "env": env, "run": run}
        found: dict[str, Json] = {}
        for name, declared in self.holds.inputs.items():
            if name not in self.holds.given:
                found |= {name: declared.default} if declared.has_default else {}
            elif known_early(self.holds.given[name], around["inputs"]):
                found[name] = render(self.holds.given[name], around)
        return found

    @property
    def foreknown(self) -> frozenset[str]:
        """The names of the inputs that `early` gives, whatever the run is given."""
        if self.outer is None:
            return frozenset(name for name, declared in self.holds.inputs.items() if not declared.secret)
        around = self.outer.foreknown
        known = (name for name, value in self.holds.given.items() if known_early(value, around))
        defaults = (name for name, one in self.holds.inputs.items() if one.has_default)
        return frozenset([*known, *(name for name in defaults if name not in self.holds.given)])

    def foreseen(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """What the file's expressions may ask before anything has been done, where those of the run's own runbook may
        ask what is in `scope`: its inputs are those that are known by then.
        """
        if self.outer is None:
            return dict(scope)
        try:
            inputs = self.early(scope["inputs"], scope["env"], scope.get("run", {}))
        except ExpressionError:
            inputs = {}
        return {**scope, "inputs": inputs}

    def place(self, folder: str) -> str:
        """The folder of the file, if the run's own runbook stands in this one."""
        return posixpath.normpath(f"{folder}/{self.holds.folder}") if self.holds.folder else folder


class Frames:
    """The frames of a runbook: `of` has for each step the one in which its expressions stand, `inside` for each step
    that includes a file the frame of that, and `root` is the run's own."""

    def __init__(self, runbook: Runbook) -> None:
        secrets = tuple(name for name in runbook.secrets if "." not in name)
        self.root = Frame(
            Include(
                file="",
                inputs=runbook.inputs,
                secrets=secrets,
                env=runbook.env,
                inherit_env=runbook.inherit_env,
                files=runbook.files,
                requires=runbook.requires,
            )
        )
        self.of: dict[str, Frame] = {}
        self.inside: dict[str, Frame] = {}
        self._by_prefix = {"": self.root}
        for step in (*runbook.steps, *runbook.finally_steps):
            self._add(step, self.root)

    def of_secret(self, name: str) -> Frame:
        """The frame of the file that declares a secret, by its name in the whole runbook."""
        return self._by_prefix[name[: name.rfind(".") + 1]]

    def _add(self, step: Step, frame: Frame) -> None:
        self.of[step.id] = frame
        frame.names.append(step.id.removeprefix(frame.prefix))
        if step.rollback is not None:
            self.of[step.rollback.step.id] = frame
        if step.include is not None:
            first = inputs_step(step.id)
            inside = self.inside[step.id] = Frame(step.include, f"{step.id}.", first, frame)
            self._by_prefix[inside.prefix] = inside
            for inner in step.steps:
                if inner.id == first:
                    # It stands between the two: it is written in the one file, for the other.
                    self.of[first] = frame
                else:
                    self._add(inner, inside)
        else:
            for inner in step.steps:
                self._add(inner, frame)


def known_early(value: Value, inputs: Container[str]) -> bool:
    """Whether all that a Value reads is known before anything has been done, where these inputs are."""
    paths = [reference.path for expression in expressions_in(value) for reference in references(expression)]
    return all(
        path[0] == "env" or path[:2] == ("run", "id") or (path[0] == "inputs" and path[1:2] and path[1] in inputs)
        for path in paths
    )
