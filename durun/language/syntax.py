"""The syntax of expressions: Jinja2's lexer and parser, and what of their language durun leaves out."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from durun.language.diagnostics import did_you_mean
from durun.language.evaluation import ALLOWED, LANGUAGE
from durun.language.plain import ExpressionSyntaxError

MAX_SOURCE = 4096
"""Characters in one expression."""
MAX_DEPTH = 100
"""How deep an expression may be nested; also how many operators may follow each other."""


def end_of_expression(text: str, start: int) -> int:
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
        raise ExpressionSyntaxError(_lexer_message(error)[0], place) from error
    if len(rest) > MAX_SOURCE:
        raise ExpressionSyntaxError(f"an expression is longer than {MAX_SOURCE} characters", start)
    raise ExpressionSyntaxError("`${{` without `}}`; write `$${{` for the characters themselves", start - len("${{"))


def _lexer_message(error: TemplateSyntaxError) -> tuple[str, int]:
    """Jinja2's words without its `at N`, and that N."""
    message = (error.message or "not an expression").rstrip(")")
    if match := re.fullmatch(r"(unexpected char (.+)) at (\d+)", message):
        open_string = match.group(2) in ('"\'"', "'\"'")
        return "a string has no end" if open_string else match.group(1), int(match.group(3))
    if message == "unexpected '}'":
        return "a `}` closes nothing; an expression ends with `}}`", 0
    return message, 0


@lru_cache(maxsize=4096)
def tree_of(source: str) -> nodes.Expr:
    """The checked syntax tree of an expression. Raises ExpressionSyntaxError."""
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
