"""Data files (inputs, targets): JSON at full speed and any size, YAML by the strict reader of runbooks."""

from __future__ import annotations

import json
import math
from typing import Any

from durun.model.values import Json

_BIG = 1024 * 1024


class NotData(Exception):
    """Bytes are neither JSON nor YAML in bounds. `message` says where and why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_data(raw: bytes, name: str) -> Json:
    """The data in a file's bytes. `name` tells JSON by its ending, else by its first character. Raises NotData."""
    looks_like_json = raw.lstrip()[:1] in (b"{", b"[")
    if name.endswith(".json") or looks_like_json:
        try:
            return parse_json(raw)
        except NotData:
            if name.endswith(".json"):
                raise
    return _from_yaml(raw)


def parse_json(raw: bytes | str) -> Json:
    """The value of a JSON text, by RFC 8259 with every key once. Raises NotData."""
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text or not isinstance(raw, bytes):
            json.dumps(value, ensure_ascii=False).encode()  # half a character could not be stored or passed on
    except json.JSONDecodeError as error:
        raise NotData(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeError:
        raise NotData("not JSON: not UTF-8, or half of a character (a lone surrogate)") from None
    except RecursionError:
        raise NotData("not JSON that can be used: it is nested too deeply") from None
    except ValueError as error:
        raise NotData(f"not JSON that can be used: {_reason(error)}") from None
    return value


class _Refused(ValueError):
    """What JSON text may not hold here."""


def _reason(error: ValueError) -> str:
    return str(error) if isinstance(error, _Refused) else "a number is too long"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise _Refused(f"the key {json.dumps(twice[:60])} stands there twice")
    return found


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise _Refused("a number is too large")
    return number


def _no_constant(word: str) -> None:
    raise _Refused(f"{word} is not a JSON number")


def _from_yaml(raw: bytes) -> Json:
    from durun.language.source import parse  # loads yaml, which JSON needs nothing of
    from durun.language.text import Unreadable

    if len(raw) > _BIG:
        raise NotData("larger than 1 MiB", "as JSON it may be larger")
    try:
        document = parse(raw)
        problems = document.problems
    except Unreadable as error:
        problems = error.diagnostics
    if problems:
        first = problems[0]
        raise NotData(f"line {first.place.line}, column {first.place.column}: {first.message}", first.hint)
    return document.root.value
