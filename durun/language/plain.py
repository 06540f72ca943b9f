"""Values as plain JSON data and as text, and how big they may get. Free of Jinja2, which costs a start 30 ms."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from durun.errors import DurunError

MAX_TEXT = 1024 * 1024
"""Characters in a text that an expression makes."""
MAX_DATA = 64 * 1024 * 1024
"""Characters and entries together in a value that an expression gives (100,000 targets fit)."""
MAX_BITS = 4096
"""Bits in a whole number that an expression computes."""
_MOST_BITS = 14_280
"""Bits in a whole number that a value holds: Python writes none of more than 4,300 digits."""


class ExpressionSyntaxError(Exception):
    """A text is not an expression. `offset` counts characters in the text that was given."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class ExpressionError(DurunError):
    """A value can't be had: a name is missing, a value is of the wrong type or too big. Never tells the value."""

    code = "expression"


class MissingName(ExpressionError):
    """A name is not there; `default()` forgives it. `names` are those that are there, for a near match to `name`."""

    def __init__(self, message: str, hint: str = "", name: str = "", names: Iterable[object] = ()) -> None:
        super().__init__(message, hint)
        self.name = name
        self.names = names


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for types, word in (((int, float), "number"), (str, "string"), (Mapping, "object"), ((list, tuple), "array")):
        if isinstance(value, types):
            return word
    return "value of no JSON type"


def a_kind(value: Any) -> str:
    """The same with its article."""
    kind = kind_of(value)
    return f"an {kind}" if kind in ("array", "object") else f"a {kind}"


def plain(value: Any) -> Any:
    """A value as JSON data of its own: lists, dicts with text keys, text, finite numbers, booleans, None.

    Raises ExpressionError when it can't be, or is too big.
    """
    try:
        return _plain(value, [MAX_DATA])
    except RecursionError:
        raise ExpressionError("a value is nested too deeply") from None


def _plain(value: Any, room: list[int]) -> Any:
    room[0] -= 1 + len(value) if isinstance(value, str) else 1
    if room[0] < 0:
        raise ExpressionError("the value is too big")
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise ExpressionError("the number is too big")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("a number is infinite or not a number")
        return value
    if isinstance(value, Mapping):
        return {_key(key): _plain(value[key], room) for key in value}
    if isinstance(value, list | tuple):
        return [_plain(entry, room) for entry in value]
    raise ExpressionError("the value can't be written as JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ExpressionError(f"a key is {a_kind(key)}, and keys are strings")
    return str(key)


def to_text(value: Any) -> str:
    """A value as it stands in text: a string as it is, everything else as JSON. Raises ExpressionError."""
    if isinstance(value, str):
        return bounded(str(value))
    return bounded(json.dumps(plain(value), ensure_ascii=False))


def bounded(text: str) -> str:
    """The text itself, unless it is longer than MAX_TEXT."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the text is longer than {MAX_TEXT} characters")
    return text


PathPart: TypeAlias = str | int | None


class Reference(NamedTuple):
    """A path that an expression reads: a name, then keys; None where the key is computed.

    `optional`: under a `default()` or `is defined`, so that it may be missing.
    """

    path: tuple[PathPart, ...]
    optional: bool = False


_ENDS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
"""An escaped character, a class of characters, or an end."""


@lru_cache(maxsize=256)
def to_the_end(pattern: str) -> str:
    """The pattern with JSON Schema's meaning of `$`, which is the end, and not before a last line break as well."""
    if re.compile(pattern).flags & re.MULTILINE:
        return pattern
    return _ENDS.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
