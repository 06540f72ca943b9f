"""Whether a value fits the input that it is given for, and if not, why, in words that never tell the value."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from durun.language.plain import kind_of, to_the_end
from durun.model.clock import from_moment
from durun.model.runbook import Input
from durun.model.values import Json

FORMATS = frozenset({"date", "date-time", "email", "ipv4", "ipv6", "uuid"})
"""What `format` may say. Others would be taken, and not looked at."""
MAX_VARIABLE = 128 * 1024
"""Bytes of one `NAME=value` with its closing NUL: Linux's MAX_ARG_STRLEN, see execve(2)."""
MAX_SECRET = 1024 * 1024
"""Bytes of a secret."""

_PATIENCE = 1.0
"""Seconds of computing in which a pattern must have said whether a text fits: some need years for forty characters."""
_SLOW = "can't be held against its pattern in time: write that without a repeat in a repeat"


def problems_with(name: str, value: Json, declared: Input) -> Iterator[str]:
    """What is wrong with the value of an input, each completing "input `x` …". Never tells the value."""
    fault = _unkeepable(value) if declared.secret else _unpassable(name, value)
    if fault:
        yield fault
        return
    if _plainly_right(declared.schema, value):
        return
    # Where in a secret something is wrong would tell a part of it.
    yield from faults(declared.schema, value, placed=not declared.secret)


def as_declared(value: Json, declared: Input) -> Json:
    """The value as its type is written: `1e2` is an integer for JSON Schema, and `100.0` is none for a shell."""
    if isinstance(value, float) and value.is_integer() and declared.schema.get("type") == "integer":
        return int(value)
    return value


def _unkeepable(value: Json) -> str:
    """Why the value can't be a secret; empty if it can."""
    if value in ("", None):
        return "is empty, which no secret is"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "\0" in text:
        return "holds a NUL character, which no environment variable can hold"
    try:
        large = len(text.encode()) > MAX_SECRET
    except UnicodeEncodeError:
        return "is not text in UTF-8"
    return f"has more than {MAX_SECRET:,} bytes" if large else ""


_PLAIN: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


def _plainly_right(schema: Mapping[str, Json], value: Json) -> bool:
    """Whether the schema says no more than a type, and the value is of it: then jsonschema need not be loaded."""
    wanted = schema.get("type", "string")
    if schema.keys() - {"type"} or not isinstance(wanted, str) or wanted not in _PLAIN:
        return False
    return type(value) is _PLAIN[wanted]


def faults(schema: Mapping[str, Json], value: Json, *, placed: bool = True) -> list[str]:
    """What is wrong with a value that a JSON Schema is about, in words; `placed`: also where. Never tells the value."""
    return sorted({in_words(error, placed=placed) for error in validator(json.dumps(schema)).iter_errors(value)})


@lru_cache(maxsize=256)
def validator(schema: str) -> Any:
    """jsonschema's, for the JSON text of a schema; where that says no type, it is of texts. FORMATS are looked at."""
    library, formats = _library()
    return library({"type": "string", **json.loads(schema)}, format_checker=formats)


@lru_cache(maxsize=1)
def _library() -> tuple[Any, Any]:
    from jsonschema import Draft202012Validator, FormatChecker  # 60 ms, and a runbook without inputs needs none of it
    from jsonschema.validators import extend

    formats = FormatChecker(formats=FORMATS - {"date-time"})
    formats.checks("date-time", raises=ValueError)(_is_moment)
    return extend(Draft202012Validator, {"pattern": _fits_pattern}), formats  # type: ignore[no-untyped-call]


def _is_moment(value: Json) -> bool:
    return not isinstance(value, str) or ("T" in value and from_moment(value) is not None)


def _fits_pattern(_: Any, pattern: str, value: Json, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(value, str):
        return
    try:
        with _in_time():
            fits = re.search(to_the_end(pattern), value) is not None
    except TimeoutError:
        yield ValidationError(_SLOW, validator=_SLOW)
    else:
        if not fits:
            yield ValidationError("does not match the pattern")


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise TimeoutError in what takes more than _PATIENCE. Elsewhere than in the main thread nothing is limited."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _unpassable(name: str, value: Json) -> str:
    """Why an environment variable can't carry the value; empty if it can."""
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character, which no environment variable can hold"
    try:
        size = variable_size(name, value)
    except UnicodeEncodeError:
        return "is not text in UTF-8"
    if size > MAX_VARIABLE:
        return (
            f"has {size:,} bytes as an environment variable, and the system passes {MAX_VARIABLE:,}; "
            "write it to a file and give the file's path"
        )
    return ""


def variable_size(name: str, value: Json) -> int:
    """Bytes of the variable by which a step gets the input, with its closing NUL."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(f"INPUT_{name.upper()}={text}".encode()) + 1


_AGAINST_LIMIT = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
    "pattern": "must match the pattern {}",
    "format": "must be a value of the format {}",
    "const": "must be {}",
}


def in_words(error: Any, *, placed: bool = True) -> str:
    """One error of jsonschema for people. Never the value: it may be long, and it may be private."""
    inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    place = f"at `{inside.removeprefix('.')}` " if inside and placed else ""
    limit = error.validator_value
    match error.validator:
        case "type":
            kinds = [limit] if isinstance(limit, str) else limit
            return f"{place}must be of type {' or '.join(kinds)}, and is of type {kind_of(error.instance)}"
        case "enum":
            return f"{place}must be one of {', '.join(json.dumps(one, ensure_ascii=False) for one in limit)}"
        case "required":
            missing = [name for name in limit if name not in error.instance]
            return f"{place}lacks {', '.join(f'`{name}`' for name in missing)}"
        case "additionalProperties":
            return f"{place}has a key that its schema does not know"
        case "uniqueItems":
            return f"{place}has an entry twice"
        case word if word == _SLOW:
            return f"{place}{_SLOW}"
        case str(word) if word in _AGAINST_LIMIT:
            return place + _AGAINST_LIMIT[word].format(limit)
    return f"{place}does not fit `{error.validator}` of its schema"
