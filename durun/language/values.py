"""Reads the values of a document whose shape is sound, and collects what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable

from durun.language.diagnostics import Path, Problem
from durun.language.environment import makes_other_code_run
from durun.language.expressions import ExpressionSyntaxError, parse_expression, parse_value
from durun.language.locate import Locator
from durun.model.duration import parse_duration
from durun.model.values import Expression, Json, Value

MAX_EXPRESSIONS = 5000
"""In one file, those that aliases repeat counted each time: some ten microseconds each, before anything runs."""


class Reader:
    """What is shared while one document is read."""

    def __init__(self, locator: Locator, problems: list[Problem]) -> None:
        self.locator = locator
        self.problems = problems
        self.warnings: list[Problem] = []
        self.globs: dict[str, Path] = {}
        """The globs of helper files, and where each stands first."""
        self._expressions = 0
        self._told = False

    def problem(self, message: str, path: Path, hint: str = "", needle: str = "", *, at_key: bool = False) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(message, path, hint, needle, at_key=at_key))

    def warn(self, message: str, path: Path, hint: str = "", needle: str = "", *, at_key: bool = False) -> None:
        """Note something that is allowed and probably not meant."""
        self.warnings.append(Problem(message, path, hint, needle, at_key=at_key))

    def files(self, globs: Iterable[str], path: Path) -> None:
        """Take globs of helper files, a list that stands at `path`."""
        for index, glob in enumerate(globs):
            self.globs.setdefault(glob, (*path, index))

    def value(self, raw: Json, path: Path) -> Value:
        """`raw` with its expressions parsed."""
        if isinstance(raw, str):
            return self._text(raw, path) if "${{" in raw else raw
        if isinstance(raw, dict):
            return {key: self.value(item, (*path, key)) for key, item in raw.items()}
        if isinstance(raw, list):
            return tuple(self.value(item, (*path, index)) for index, item in enumerate(raw))
        return raw

    def _text(self, raw: str, path: Path) -> Value:
        self._expressions += raw.count("${{")
        if self._expressions > MAX_EXPRESSIONS:
            if not self._told:
                self.problem(f"the file holds more than {MAX_EXPRESSIONS} expressions", path, "split the runbook")
            self._told = True
            return raw.replace("${{", "")
        try:
            return parse_value(raw)
        except ExpressionSyntaxError as error:
            self._syntax(error, path)
            return raw.replace("${{", "")

    def condition(self, raw: Json, path: Path) -> Expression:
        """The expression of an `if` or a `that`."""
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        try:
            return parse_expression(text)
        except ExpressionSyntaxError as error:
            self._syntax(error, path)
            return Expression("true")

    def duration(self, raw: Json, path: Path, *, positive: bool = True) -> Value | None:
        """A duration as it is written, or an expression for one; None where nothing is given."""
        if raw is None:
            return None
        value = self.value(raw, path)
        if isinstance(value, str):
            self._check_duration(value, path, positive)
        return value

    def seconds(self, raw: str, path: Path) -> float:
        """A duration that can't be an expression."""
        self._check_duration(raw, path, True)
        try:
            return parse_duration(raw)
        except ValueError:
            return 0.0

    def _check_duration(self, text: str, path: Path, positive: bool) -> None:
        try:
            if parse_duration(text) == 0 and positive:
                self.problem(f"`{path[-1]}` must be longer than nothing", path)
        except ValueError as error:
            self.problem(f"`{path[-1]}`: {error}", path)

    def env(self, raw: dict[str, Json], path: Path) -> dict[str, Value]:
        """Environment variables; some names would change what the program is, not what it is told."""
        for name in raw:
            self.env_name(name, (*path, name))
        return {name: self.value(item, (*path, name)) for name, item in raw.items()}

    def env_name(self, name: str, path: Path) -> None:
        """Refuse the names that durun sets and those that make a program run other code."""
        if name.startswith("DURUN_"):
            self.problem(f"`{name}` is durun's to set", path, "choose another name", at_key=True)
        elif makes_other_code_run(name):
            hint = "set it in the script, for the one command that needs it: it makes programs run other code"
            self.problem(f"`{name}` can't be set here", path, hint, at_key=True)

    def _syntax(self, error: ExpressionSyntaxError, path: Path) -> None:
        cut = self.locator.comment_follows(path)
        hint = 'YAML takes ` #` for a comment: quote the value: "${{ … }}"' if cut else ""
        self.problems.append(Problem(str(error), path, hint, offset=error.offset))
