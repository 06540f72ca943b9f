"""Plain scalars by the YAML 1.2 core schema, which is not what PyYAML does by itself.

YAML 1.1 reads `no` as false, `012` as ten and `1:30` as ninety; an operator means text. See
https://yaml.org/spec/1.2.2/#1032-tag-resolution.
"""

from __future__ import annotations

import math
import re

from durun.model.values import Json

_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_MAX_DIGITS = 18
"""Every such number is exact in JSON readers that use 64-bit integers, and quick to read."""


class BadScalar(ValueError):
    """A scalar that no JSON value stands for; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def resolve(text: str, *, plain: bool) -> Json:
    """The value of a scalar. Numbers with a leading zero are text (`012`, `08`): too many mean them so."""
    if "\x00" in text:
        raise BadScalar("a text can't hold a NUL character", "no program can be given one; remove it")
    if not plain:
        return text
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] in "0123456789+-.":
        return _number(text)
    return text


def _number(text: str) -> Json:
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise BadScalar(f"a number of more than {_MAX_DIGITS} digits", "quote it to make it a text")
        return int(text, 0)
    if _NOT_JSON.fullmatch(text):
        raise BadScalar(f"{text} is a number that JSON doesn't have", "quote it to make it a text")
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise BadScalar(f"{text} is too large for a number", "quote it to make it a text")
        return number
    return text
