"""Gives the value of a checked expression by walking Jinja2's syntax tree.

Not Jinja2's compiled code: there, a missing name is an object that some operators and tests take for a
value (`x is none`, `x in []`), and `~` writes Python's `True`. Here a missing name fails where it is read,
only `default` and `is defined` forgive it, and what is not in the table below does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from jinja2 import Undefined, nodes
from jinja2.exceptions import TemplateError
from jinja2.runtime import Context

from durun.language.filters import Language
from durun.language.operators import compare, compute
from durun.language.plain import MAX_TEXT, ExpressionError, MissingName, a_kind, kind_of, to_text

Scope: TypeAlias = Mapping[str, Any]

LANGUAGE = Language()
_CONTEXT = Context(LANGUAGE, {}, None, {})
FORGIVING = frozenset({"default", "d"})
ASKING = frozenset({"defined", "undefined"})


def value_of(node: nodes.Node, scope: Scope) -> Any:
    """The value of a checked tree. Raises ExpressionError, MissingName where a name is not there."""
    return _VALUES[type(node)](node, scope)


def _missing(name: Any, where: str, names: Iterable[Any]) -> MissingName:
    return MissingName(f"{where} `{name}`", name=str(name), names=names)


def _told(node: nodes.Node) -> str:
    """A path as it is written, for messages; `…` where it is computed."""
    path = _path(node)
    return "the value" if path == "…" else f"`{path}`"


def _path(node: nodes.Node) -> str:
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{_path(node.node)}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=key)):
            return f"{_path(node.node)}[{key!r}]"
        case nodes.Getitem():
            return f"{_path(node.node)}[…]"
    return "…"


def _name(node: nodes.Name, scope: Scope) -> Any:
    try:
        return scope[node.name]
    except KeyError:
        raise _missing(node.name, "there is no", scope) from None


def _getattr(node: nodes.Getattr, scope: Scope) -> Any:
    return _entry(value_of(node.node, scope), node.attr, node.node)


def _getitem(node: nodes.Getitem, scope: Scope) -> Any:
    holder = value_of(node.node, scope)
    if isinstance(node.arg, nodes.Slice):
        return _slice(holder, node.arg, scope)
    return _entry(holder, _sure(node.arg, scope), node.node)


def _entry(holder: Any, key: Any, node: nodes.Node) -> Any:
    if isinstance(holder, Mapping):
        if isinstance(key, str):
            try:
                return holder[key]
            except KeyError:
                pass
        raise _missing(key, f"{_told(node)} has no", holder)
    if isinstance(holder, list | tuple | str) and isinstance(key, int) and not isinstance(key, bool):
        try:
            return holder[key]
        except IndexError:
            raise MissingName(f"{_told(node)} has no entry {key}, it has {len(holder)}") from None
    raise MissingName(f"{_told(node)} is {a_kind(holder)} and has no `{key}`")


def _slice(holder: Any, node: nodes.Slice, scope: Scope) -> Any:
    if not isinstance(holder, list | tuple | str):
        raise ExpressionError(f"{a_kind(holder)} can't be sliced")
    bounds = [None if part is None else _sure(part, scope) for part in (node.start, node.stop, node.step)]
    try:
        return holder[slice(*bounds)]
    except (TypeError, ValueError):
        raise ExpressionError("a slice is written [from:to:step], with whole numbers, the step not 0") from None


def _sure(node: nodes.Node, scope: Scope) -> Any:
    """A value whose absence no `default` around it forgives."""
    try:
        return value_of(node, scope)
    except MissingName as error:
        raise ExpressionError(error.message) from error


def _filter(node: nodes.Filter, scope: Scope) -> Any:
    assert node.node is not None
    if node.name in FORGIVING:
        return _default(node, scope)
    value = value_of(node.node, scope)
    args = [_sure(arg, scope) for arg in node.args]
    kwargs = {str(pair.key): _sure(pair.value, scope) for pair in node.kwargs}
    return _applied(node.name, value, args, kwargs)


def _default(node: nodes.Filter, scope: Scope) -> Any:
    """`value | default(other='', boolean=false)`; `other` is read only when it is wanted."""
    assert node.node is not None
    given = dict(zip(("default_value", "boolean"), node.args, strict=False))
    given |= {str(pair.key): pair.value for pair in node.kwargs}
    with suppress(MissingName):
        value = value_of(node.node, scope) if isinstance(node.node, _MAY_MISS) else _sure(node.node, scope)
        if value or "boolean" not in given or not _sure(given["boolean"], scope):
            return value
    return _sure(given["default_value"], scope) if "default_value" in given else ""


def _applied(name: str, value: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        result = LANGUAGE.call_filter(name, value, args, kwargs, _CONTEXT)
        if isinstance(result, Iterator):
            result = list(result)
    except (TypeError, TemplateError) as error:
        raise ExpressionError(f"filter `{name}` on {a_kind(value)}: {error}") from error
    except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ExpressionError(f"filter `{name}` can't be used on this {kind_of(value)}") from error
    if isinstance(result, Undefined):
        raise MissingName(f"filter `{name}`: there is nothing in the {kind_of(value)}")
    if isinstance(result, list):
        for entry in result:
            if isinstance(entry, Undefined):
                raise MissingName(f"filter `{name}`: {entry._undefined_message}")
    return result


def _test(node: nodes.Test, scope: Scope) -> bool:
    if node.name in ASKING:
        try:
            value_of(node.node, scope)
        except MissingName:
            return node.name == "undefined"
        return node.name == "defined"
    value = value_of(node.node, scope)
    try:
        return bool(LANGUAGE.call_test(node.name, value, [value_of(arg, scope) for arg in node.args], None, _CONTEXT))
    except (TypeError, ArithmeticError, TemplateError) as error:
        raise ExpressionError(f"test `{node.name}` can't be asked of {a_kind(value)}") from error


_SIGNS: dict[type[nodes.Expr], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
}
_MAY_MISS = (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter)


def _compare(node: nodes.Compare, scope: Scope) -> bool:
    left = value_of(node.expr, scope)
    for operand in node.ops:
        right = value_of(operand.expr, scope)
        if not compare(operand.op, left, right):
            return False
        left = right
    return True


def _binary(node: nodes.BinExpr, scope: Scope) -> Any:
    return compute(_SIGNS[type(node)], value_of(node.left, scope), value_of(node.right, scope))


def _signed(node: nodes.UnaryExpr, scope: Scope) -> Any:
    value = value_of(node.node, scope)
    if kind_of(value) != "number":
        raise ExpressionError(f"{a_kind(value)} has no sign")
    return -value if isinstance(node, nodes.Neg) else value


def _concat(node: nodes.Concat, scope: Scope) -> str:
    texts = [to_text(value_of(part, scope)) for part in node.nodes]
    if sum(map(len, texts)) > MAX_TEXT:
        raise ExpressionError(f"the text is longer than {MAX_TEXT} characters")
    return "".join(texts)


def _choice(node: nodes.CondExpr, scope: Scope) -> Any:
    assert node.expr2 is not None
    return value_of(node.expr1 if value_of(node.test, scope) else node.expr2, scope)


def _dict(node: nodes.Dict, scope: Scope) -> dict[str, Any]:
    pairs = [(value_of(pair.key, scope), value_of(pair.value, scope)) for pair in node.items]
    for key, _ in pairs:
        if not isinstance(key, str):
            raise ExpressionError(f"a key is {a_kind(key)}, and keys are strings")
    return dict(pairs)


_VALUES: dict[type[nodes.Node], Callable[[Any, Scope], Any]] = {
    nodes.Const: lambda node, _: node.value,
    nodes.Name: _name,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Compare: _compare,
    nodes.And: lambda node, scope: value_of(node.left, scope) and value_of(node.right, scope),
    nodes.Or: lambda node, scope: value_of(node.left, scope) or value_of(node.right, scope),
    nodes.Not: lambda node, scope: not value_of(node.node, scope),
    nodes.Neg: _signed,
    nodes.Pos: _signed,
    nodes.Concat: _concat,
    nodes.CondExpr: _choice,
    nodes.List: lambda node, scope: [value_of(entry, scope) for entry in node.items],
    nodes.Tuple: lambda node, scope: [value_of(entry, scope) for entry in node.items],
    nodes.Dict: _dict,
    **dict.fromkeys(_SIGNS, _binary),
}
ALLOWED = frozenset(_VALUES) | {nodes.Operand, nodes.Pair, nodes.Keyword, nodes.Slice}
