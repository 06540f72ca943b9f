"""What an expression says without being evaluated: the paths that it reads, the kind of value that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from durun.language.evaluation import ASKING, FORGIVING, value_of
from durun.language.plain import PathPart, Reference, kind_of
from durun.language.syntax import end_of_expression, tree_of
from durun.model.values import Expression

__all__ = ["end_of_expression", "references", "static_kind", "tree_of", "value"]


def value(expression: Expression, scope: Mapping[str, Any]) -> Any:
    """The value of an expression, not yet plain data."""
    return value_of(tree_of(expression.source), scope)


@lru_cache(maxsize=4096)
def references(expression: Expression) -> frozenset[Reference]:
    """Every path that the expression reads."""
    return frozenset(_references(tree_of(expression.source), False))


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
    tree = tree_of(expression.source)
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
