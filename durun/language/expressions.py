"""`${{ … }}`: the expressions of a runbook, from text to value.

The language is Jinja2's expression syntax. It computes and never acts: no calls but filters and tests, no
attributes but the keys of mappings, no statements, no randomness, bounded in every size.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from durun.errors import DurunError
from durun.language.diagnostics import did_you_mean
from durun.language.evaluation import ALLOWED, ASKING, FORGIVING, LANGUAGE, Missing, value_of
from durun.language.filters import MAX_TEXT, Wrong, bounded, kind_of, plain, to_text
from durun.model.runbook import Expression, Json, Template, Value

MAX_SOURCE = 4096
"""Characters in one expression."""
MAX_DEPTH = 100
"""How deep an expression may be nested; also how many operators may follow each other."""

PathPart: TypeAlias = str | int | None

_BEGIN = re.compile(r"\$?\$\{\{")


class ExpressionSyntaxError(Exception):
    """A text is not an expression. `offset` counts characters in the text that was given."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class ExpressionError(DurunError):
    """An expression has no value: a name is missing, or a value is of the wrong type."""

    code = "expression"


@dataclass(frozen=True, slots=True)
class Reference:
    """A path that an expression reads: a name, then keys; None where the key is computed.

    `optional`: under a `default()` or `is defined`, so that it may be missing.
    """

    path: tuple[PathPart, ...]
    optional: bool = False


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
        end = _end_of_expression(text, match.end())
        if literal:
            parts.append(literal)
        parts.append(_checked(text[match.end() : end], match.end()))
        literal, place = "", end + len("}}")
    literal += text[place:]
    if not parts:
        return literal
    return Template((*parts, literal) if literal else tuple(parts))


def _end_of_expression(text: str, start: int) -> int:
    """Where the `}}` stands that ends the expression which begins at `start`, found by Jinja2's lexer."""
    rest = text[start : start + MAX_SOURCE + 2]
    same_length = rest.replace("\r", " ")  # the lexer joins line ends, which would shift what follows
    place = start
    try:
        for _, token, piece in LANGUAGE.lexer.tokeniter(same_length, None, None, "variable"):
            if token == "variable_end":
                if not piece.startswith("}}"):
                    raise ExpressionSyntaxError("an operator stands before `}}` and nothing after it", place)
                return place
            place += len(piece)
    except TemplateSyntaxError as error:
        message, offset = _lexer_message(error)
        raise ExpressionSyntaxError(message, start + offset) from error
    if len(rest) > MAX_SOURCE:
        raise ExpressionSyntaxError(f"an expression is longer than {MAX_SOURCE} characters", start)
    raise ExpressionSyntaxError("`${{` without `}}`; write `$${{` for the characters themselves", start - len("${{"))


def _lexer_message(error: TemplateSyntaxError) -> tuple[str, int]:
    """Jinja2's words without its `at N`, and that N."""
    message = (error.message or "not an expression").rstrip(")")
    if match := re.fullmatch(r"(unexpected char (.+)) at (\d+)", message):
        open_string = match.group(2) in ('"\'"', "'\"'")
        return "a string has no end" if open_string else match.group(1), int(match.group(3))
    return message, 0


def _checked(source: str, offset: int) -> Expression:
    stripped = source.strip()
    try:
        _tree(stripped)
    except ExpressionSyntaxError as error:
        shift = len(source) - len(source.lstrip())
        raise ExpressionSyntaxError(error.message, offset + shift + error.offset) from error
    return Expression(stripped)


@lru_cache(maxsize=4096)
def _tree(source: str) -> nodes.Expr:
    """The checked syntax tree of an expression."""
    if not source:
        raise ExpressionSyntaxError("an expression is empty")
    if len(source) > MAX_SOURCE:
        raise ExpressionSyntaxError(f"an expression is longer than {MAX_SOURCE} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an unknown escape such as '\d' only warns
            parser = Parser(LANGUAGE, source, state="variable")
            tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        raise ExpressionSyntaxError(*_lexer_message(error)) from error
    except RecursionError:
        raise ExpressionSyntaxError("an expression is nested too deeply") from None
    if not parser.stream.eos:
        raise ExpressionSyntaxError(f"an expression ends before `{parser.stream.current}`")
    _check(tree)
    return tree


def _check(tree: nodes.Expr) -> None:
    rest: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while rest:
        node, depth = rest.pop()
        if depth > MAX_DEPTH:
            raise ExpressionSyntaxError("an expression is nested too deeply")
        _check_node(node)
        rest.extend((child, depth + 1) for child in node.iter_child_nodes())


def _check_node(node: nodes.Node) -> None:
    if isinstance(node, nodes.Call):
        raise ExpressionSyntaxError("nothing can be called in an expression; filters are written `value | filter`")
    if type(node) not in ALLOWED:
        raise ExpressionSyntaxError(f"`{type(node).__name__.lower()}` is not part of the language")
    if isinstance(node, nodes.CondExpr) and node.expr2 is None:
        raise ExpressionSyntaxError("an `if` in an expression needs its `else`")
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and re.search("[\ud800-\udfff]", node.value):
        raise ExpressionSyntaxError("a string holds half a character (a lone surrogate)")
    if not isinstance(node, nodes.Filter | nodes.Test):
        return
    word, known = ("filter", LANGUAGE.filters) if isinstance(node, nodes.Filter) else ("test", LANGUAGE.tests)
    if node.name not in known:
        near = did_you_mean(node.name, known)
        raise ExpressionSyntaxError(f"there is no {word} `{node.name}`" + (f"; {near}" if near else ""))
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionSyntaxError(f"{word} `{node.name}` does not take `*` arguments")
    if word == "test" and node.kwargs:
        raise ExpressionSyntaxError(f"test `{node.name}` does not take named arguments")


def evaluate(expression: Expression, scope: Mapping[str, Any]) -> Json:
    """The value of an expression, as plain JSON data. Raises ExpressionError."""
    try:
        return plain(_value(expression, scope))
    except Wrong as error:
        raise _error(expression, error) from error


def evaluate_condition(expression: Expression, scope: Mapping[str, Any]) -> bool:
    """The value of a condition. Raises ExpressionError, also when it is not a boolean."""
    value = evaluate(expression, scope)
    if isinstance(value, bool):
        return value
    raise ExpressionError(
        f"`{_shown(expression)}` is a {kind_of(value)}, and a condition must be true or false",
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
        texts = [part if isinstance(part, str) else _text(part, scope) for part in value.parts]
        if sum(map(len, texts)) > MAX_TEXT:
            raise ExpressionError(f"a text with expressions would be longer than {MAX_TEXT} characters")
        return "".join(texts)
    if isinstance(value, list | tuple):
        return [render(entry, scope) for entry in value]
    if isinstance(value, Mapping):
        return {key: render(entry, scope) for key, entry in value.items()}
    return value


def _text(expression: Expression, scope: Mapping[str, Any]) -> str:
    try:
        return bounded(to_text(_value(expression, scope)))
    except Wrong as error:
        raise _error(expression, error) from error


def _value(expression: Expression, scope: Mapping[str, Any]) -> Any:
    try:
        return value_of(_tree(expression.source), scope)
    except RecursionError:
        raise Wrong("a value is nested too deeply") from None


def _error(expression: Expression, error: Wrong) -> ExpressionError:
    missing = error if isinstance(error, Missing) else error.__cause__
    hint = ""
    if isinstance(missing, Missing):
        hint = missing.hint or "write `| default(…)` behind a name that may be missing"
    return ExpressionError(f"`{_shown(expression)}`: {error}", hint)


def _shown(expression: Expression) -> str:
    """The expression in one line of a message."""
    line = " ".join(expression.source.split())
    return line if len(line) <= 100 else line[:100] + "…"


@lru_cache(maxsize=4096)
def references(expression: Expression) -> frozenset[Reference]:
    """Every path that the expression reads."""
    return frozenset(_references(_tree(expression.source), False))


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


_KINDS: dict[type[nodes.Node], str] = {
    nodes.Not: "boolean",
    nodes.Compare: "boolean",
    nodes.Test: "boolean",
    nodes.Concat: "string",
    nodes.List: "array",
    nodes.Tuple: "array",
    nodes.Dict: "object",
}


def static_kind(expression: Expression) -> str | Reference | None:
    """What the value is, in the words of JSON; the Reference, if it is nothing but one; None if it can't be told."""
    tree = _tree(expression.source)
    if isinstance(tree, nodes.Const):
        return kind_of(tree.value)
    if isinstance(tree, nodes.Name | nodes.Getattr | nodes.Getitem):
        found = list(_path_references(tree, False))
        return found[0] if len(found) == 1 else None
    return _KINDS.get(type(tree))


def _references(node: nodes.Node, optional: bool) -> Iterator[Reference]:
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        yield from _path_references(node, optional)
        return
    forgiven: nodes.Node | None = None
    if isinstance(node, nodes.Filter):
        forgiven = node.node if optional or node.name in FORGIVING else None
    elif isinstance(node, nodes.Test) and node.name in ASKING:
        forgiven = node.node
    for child in node.iter_child_nodes():
        yield from _references(child, child is forgiven)


def _path_references(node: nodes.Expr, optional: bool) -> Iterator[Reference]:
    path: list[PathPart] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node.arg, nodes.Const):
            path.append(node.arg.value if isinstance(node.arg.value, str | int) else None)
        else:
            path.append(None)
            yield from _references(node.arg, False)
        node = node.node
    if isinstance(node, nodes.Name):
        yield Reference((node.name, *reversed(path)), optional)
    else:
        yield from _references(node, optional)
