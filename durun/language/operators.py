"""What the operators of expressions do: numbers with numbers, text with text, and never without bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from durun.language.plain import MAX_BITS, MAX_DATA, MAX_TEXT, ExpressionError, a_kind, kind_of, plain

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def compare(word: str, left: Any, right: Any) -> bool:
    """Jinja2's `eq`, `ne`, `gt`, `gteq`, `lt`, `lteq`, `in`, `notin`. Raises ExpressionError."""
    if word in ("in", "notin"):
        return _contains(right, left) == (word == "in")
    try:
        return _COMPARE[word](_comparable(left), _comparable(right))
    except TypeError:
        raise ExpressionError(f"{a_kind(left)} and {a_kind(right)} can't be put in order") from None


def _comparable(value: Any) -> Any:
    return plain(value) if isinstance(value, Mapping | list | tuple) else value


def _contains(holder: Any, value: Any) -> bool:
    if isinstance(holder, Mapping):
        return isinstance(value, str) and value in holder
    if isinstance(holder, str) and isinstance(value, str):
        return value in holder
    if isinstance(holder, list | tuple):
        return _comparable(value) in _comparable(holder)
    raise ExpressionError(f"`in` can't look for {a_kind(value)} in {a_kind(holder)}")


def compute(sign: str, left: Any, right: Any) -> Any:
    """Arithmetic on two numbers; `+` also joins two strings or two lists. Raises ExpressionError."""
    kinds = (kind_of(left), kind_of(right))
    if sign == "+" and kinds in (("string", "string"), ("array", "array")):
        return _joined(left, right)
    if kinds != ("number", "number"):
        raise ExpressionError(f"`{sign}` does not work on {a_kind(left)} and {a_kind(right)}")
    if sign == "**" and _bits(left) * abs(right) > MAX_BITS:
        raise ExpressionError("the number is too big")
    try:
        result = _ARITHMETIC[sign](left, right)
    except ZeroDivisionError:
        raise ExpressionError("a division by zero") from None
    except ArithmeticError:
        raise ExpressionError("the number is too big") from None
    if isinstance(result, complex):
        raise ExpressionError("the root of a negative number")
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise ExpressionError("the number is too big")
    return result


def _bits(number: Any) -> int:
    return max(1, int(number).bit_length()) if abs(number) < 2**64 else MAX_BITS


def _joined(left: Any, right: Any) -> Any:
    if len(left) + len(right) > (MAX_TEXT if isinstance(left, str) else MAX_DATA):
        raise ExpressionError("the value is too big")
    return left + right if isinstance(left, str) else [*left, *right]
