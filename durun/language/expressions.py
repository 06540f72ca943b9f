"""`${{ … }}`: the expressions of a runbook, from text to value.

The language is Jinja2's expression syntax. It computes and never acts: no calls but filters and tests, no
attributes but the keys of mappings, no statements, no randomness, bounded in every size. Jinja2 itself is loaded
with the first expression: a runbook without one does not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import ModuleType
from typing import Any

from durun.language.diagnostics import did_you_mean
from durun.language.plain import (
    MAX_TEXT,
    ExpressionError,
    ExpressionSyntaxError,
    MissingName,
    PathPart,
    Reference,
    a_kind,
    plain,
    to_text,
)
from durun.model.values import Expression, Json, Template, Value

__all__ = [
    "ExpressionError",
    "ExpressionSyntaxError",
    "MissingName",
    "PathPart",
    "Reference",
    "evaluate",
    "evaluate_condition",
    "expressions_in",
    "parse_expression",
    "parse_value",
    "references",
    "render",
    "static_kind",
    "to_text",
]

_NEAR_AMONG = 1000
"""Names looked through for a near match: a fan-out may have 100,000 keys."""

_BEGIN = re.compile(r"\$?\$\{\{")


def _jinja() -> ModuleType:
    """What needs Jinja2. Loaded late, and only here."""
    from durun.language import analysis

    return analysis


def parse_value(value: Json) -> Value:
    """JSON data with its strings parsed: those with an expression become Templates, lists become tuples.

    Keys stay as they are. Raises ExpressionSyntaxError with the offset in the string that is wrong.
    """
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, list | tuple):
        return tuple(parse_value(entry) for entry in value)
    if isinstance(value, Mapping):
        return {key: parse_value(entry) for key, entry in value.items()}
    return value


def parse_expression(text: str) -> Expression:
    """The expression of an `if` or a `that`: bare, or as one whole `${{ }}`. Raises ExpressionSyntaxError."""
    if not text.lstrip().startswith("${{"):
        return _checked(text, 0)
    before = len(text) - len(text.lstrip())
    try:
        value = _parse_text(text.strip())
    except ExpressionSyntaxError as error:
        raise ExpressionSyntaxError(error.message, error.offset + before) from error
    if isinstance(value, Template) and value.whole is not None:
        return value.whole
    raise ExpressionSyntaxError("a condition is one expression, bare or in one `${{ }}`, nothing beside it", before)


def _parse_text(text: str) -> str | Template:
    parts: list[str | Expression] = []
    literal, place = "", 0
    while match := _BEGIN.search(text, place):
        literal += text[place : match.start()]
        if match.group().startswith("$$"):
            literal, place = literal + "${{", match.end()
            continue
        end = _jinja().end_of_expression(text, match.end())
        if literal:
            parts.append(literal)
        parts.append(_checked(text[match.end() : end], match.end()))
        literal, place = "", end + len("}}")
    literal += text[place:]
    if not parts:
        return literal
    return Template((*parts, literal) if literal else tuple(parts))


def _checked(source: str, offset: int) -> Expression:
    stripped = source.strip()
    try:
        _jinja().tree_of(stripped)
    except ExpressionSyntaxError as error:
        shift = len(source) - len(source.lstrip())
        raise ExpressionSyntaxError(error.message, offset + shift + error.offset) from error
    return Expression(stripped)


def evaluate(expression: Expression, scope: Mapping[str, Any]) -> Json:
    """The value of an expression, as plain JSON data. Raises ExpressionError."""
    return _value(expression, scope, plain)


def evaluate_condition(expression: Expression, scope: Mapping[str, Any]) -> bool:
    """The value of a condition. Raises ExpressionError, also when it is not a boolean."""
    value = evaluate(expression, scope)
    if isinstance(value, bool):
        return value
    raise ExpressionError(
        f"`{_shown(expression)}` is {a_kind(value)}, and a condition must be true or false",
        "compare it, as in `… == 'x'` or `… | length > 0`",
    )


def render(value: Value, scope: Mapping[str, Any]) -> Json:
    """A Value with its expressions filled in, as plain JSON data. Raises ExpressionError.

    A template that is one whole expression keeps the type of its value; in text a string stays as it is, and
    everything else becomes JSON.
    """
    if isinstance(value, Template):
        if value.whole is not None:
            return evaluate(value.whole, scope)
        texts = [part if isinstance(part, str) else str(_value(part, scope, to_text)) for part in value.parts]
        if sum(map(len, texts)) > MAX_TEXT:
            raise ExpressionError(f"a text with expressions would be longer than {MAX_TEXT} characters")
        return "".join(texts)
    if isinstance(value, list | tuple):
        return [render(entry, scope) for entry in value]
    if isinstance(value, Mapping):
        return {key: render(entry, scope) for key, entry in value.items()}
    return value


def _value(expression: Expression, scope: Mapping[str, Any], finish: Callable[[Any], Any]) -> Any:
    try:
        return finish(_jinja().value(expression, scope))
    except ExpressionError as error:
        raise _placed(expression, error) from error
    except RecursionError:
        raise _placed(expression, ExpressionError("a value is nested too deeply")) from None


def _placed(expression: Expression, error: ExpressionError) -> ExpressionError:
    """The error with the expression that it is in."""
    message = f"`{_shown(expression)}`: {error.message}"
    missing = error if isinstance(error, MissingName) else error.__cause__
    if not isinstance(missing, MissingName):
        return ExpressionError(message, error.hint)
    known = [name for name in islice(missing.names, _NEAR_AMONG) if isinstance(name, str)]
    hint = missing.hint or did_you_mean(missing.name, known) or "write `| default(…)` behind a name that may be missing"
    return MissingName(message, hint) if missing is error else ExpressionError(message, hint)


def _shown(expression: Expression) -> str:
    """The expression in one line of a message."""
    line = " ".join(expression.source.split())
    return line if len(line) <= 100 else line[:100] + "…"


def references(expression: Expression) -> frozenset[Reference]:
    """Every path that the expression reads."""
    found: frozenset[Reference] = _jinja().references(expression)
    return found


def static_kind(expression: Expression) -> str | Reference | None:
    """What the value is, in the words of JSON; the Reference, if it is nothing but one; None if it can't be told."""
    kind: str | Reference | None = _jinja().static_kind(expression)
    return kind


def expressions_in(value: Value) -> Iterator[Expression]:
    """Every expression in a Value."""
    if isinstance(value, Template):
        yield from (part for part in value.parts if isinstance(part, Expression))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from expressions_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from expressions_in(entry)
