"""The filters and tests that expressions may use, and the bounds that keep every one of them small.

Most are Jinja2's own. Those that would show Python's spelling of a value, guess when a value is wrong, or
make a huge value from a small one are written here instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, Undefined, filters
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import pass_environment

from durun.language.plain import MAX_TEXT, ExpressionError, a_kind, bounded, kind_of, plain, to_text


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ExpressionError(f"filter `{name}` wants a string, not {a_kind(value)}")
    return value


def _on_strings(name: str) -> Callable[..., Any]:
    inner = filters.FILTERS[name]

    def applied(value: Any, *args: Any, **kwargs: Any) -> Any:
        return inner(_string(name, value), *args, **kwargs)

    return applied


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = (_string("replace", part) for part in (value, old, new))
    if not old:
        raise ExpressionError("filter `replace` wants something to look for")
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ExpressionError(f"the text would be longer than {MAX_TEXT} characters")
    return text.replace(old, new)


def _split(value: Any, separator: Any = None) -> list[str]:
    text = _string("split", value)
    if separator is not None and not _string("split", separator):
        raise ExpressionError("filter `split` wants a separator that is not empty")
    return text.split(separator)


@pass_environment
def _join(environment: Any, value: Iterable[Any], separator: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        value = map(filters.make_attrgetter(environment, attribute), value)
    texts = [to_text(entry) for entry in value]
    between = _string("join", separator)
    if sum(map(len, texts)) + len(texts) * len(between) > MAX_TEXT:
        raise ExpressionError(f"the text would be longer than {MAX_TEXT} characters")
    return between.join(texts)


def _tojson(value: Any, indent: Any = None) -> str:
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= 8):
        raise ExpressionError("filter `tojson` wants an indent between 0 and 8")
    return bounded(json.dumps(plain(value), ensure_ascii=False, indent=indent))


def _from_json(value: Any) -> Any:
    text = _string("from_json", value)
    try:
        found = json.loads(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # half a character could not be passed on
        return found
    except (ValueError, RecursionError):
        raise ExpressionError("filter `from_json`: the string is not JSON") from None


_NO_DEFAULT = object()


def _int(value: Any, default: Any = _NO_DEFAULT) -> Any:
    try:
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                return int(float(value))
        if isinstance(value, bool | int | float):
            return int(value)
    except (ValueError, OverflowError):
        pass
    return _or_default("int", default, value)


def _float(value: Any, default: Any = _NO_DEFAULT) -> Any:
    try:
        if isinstance(value, str | bool | int | float):
            number = float(value)
            if math.isfinite(number):
                return number
    except (ValueError, OverflowError):
        pass
    return _or_default("float", default, value)


def _or_default(name: str, default: Any, value: Any) -> Any:
    if default is _NO_DEFAULT:
        raise ExpressionError(f"filter `{name}`: the {kind_of(value)} is not a number")
    return default


def _round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    ways: dict[Any, Callable[[float], float]] = {"common": round, "ceil": math.ceil, "floor": math.floor}
    if kind_of(value) != "number" or not isinstance(precision, int) or not 0 <= precision <= 15 or method not in ways:
        raise ExpressionError("filter `round` wants a number, 0 to 15 places, and `common`, `ceil` or `floor`")
    return round(float(value), precision) if method == "common" else ways[method](value * 10**precision) / 10**precision


def _urlencode(value: Any) -> str:
    """A value for one place of a URL, so that none leads elsewhere: Jinja2's leaves `/` as it is."""
    if isinstance(value, Mapping):
        return bounded("&".join(f"{_urlencode(name)}={_urlencode(entry)}" for name, entry in value.items()))
    return bounded(quote(to_text(value), safe=""))


def _length(value: Any) -> int:
    if not isinstance(value, str | Mapping | list | tuple):
        raise ExpressionError(f"{a_kind(value)} has no length")
    return len(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, str | Mapping | list | tuple):
        raise ExpressionError(f"{a_kind(value)} can't become a list")
    return list(value)


_FROM_JINJA = (
    "abs", "dictsort", "first", "items", "last", "map", "max", "min", "reject", "rejectattr", "reverse",
    "select", "selectattr", "sort", "sum", "unique",
)  # fmt: skip
_FILTERS: dict[str, Callable[..., Any]] = {
    **{name: filters.FILTERS[name] for name in _FROM_JINJA},
    **{name: _on_strings(name) for name in ("capitalize", "lower", "title", "trim", "upper")},
    "count": _length,
    "d": filters.FILTERS["default"],
    "default": filters.FILTERS["default"],
    "float": _float,
    "from_json": _from_json,
    "int": _int,
    "join": _join,
    "length": _length,
    "list": _list,
    "replace": _replace,
    "round": _round,
    "split": _split,
    "string": to_text,
    "tojson": _tojson,
    "urlencode": _urlencode,
}

_TESTS_FROM_JINJA = (
    "boolean", "eq", "equalto", "false", "float", "ge", "greaterthan", "gt", "in", "integer",
    "le", "lessthan", "lt", "mapping", "ne", "none", "number", "sequence", "string", "true",
    "==", "!=", ">", ">=", "<", "<=",
)  # fmt: skip


def _strict(test: Callable[..., Any]) -> Callable[..., bool]:
    """The test, but failing on what is missing; Jinja2's `none` or `string` would say no instead."""

    def asked(value: Any, *args: Any) -> bool:
        if isinstance(value, Undefined):
            raise ExpressionError(value._undefined_message)
        return bool(test(value, *args))

    return asked


def _of_numbers(test: Callable[..., Any]) -> Callable[..., bool]:
    """The test, but failing on a string: what Jinja2 asks with `%` would fill in a format there."""

    def asked(value: Any, *args: Any) -> bool:
        if isinstance(value, str):
            raise TypeError("a string is no number")
        return bool(test(value, *args))

    return asked


_ALL_TESTS: Mapping[str, Any] = TESTS
_TESTS: dict[str, Callable[..., Any]] = {
    **{name: _strict(_ALL_TESTS[name]) for name in _TESTS_FROM_JINJA},
    **{name: _strict(_of_numbers(_ALL_TESTS[name])) for name in ("divisibleby", "even", "odd")},
    **{name: _ALL_TESTS[name] for name in ("defined", "undefined")},
}


class Language(ImmutableSandboxedEnvironment):
    """Jinja2 without globals, with these filters and tests only, where `a.b` is the key `b` and nothing else."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined)
        self.globals.clear()
        self.filters = dict(_FILTERS)
        self.tests = dict(_TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The mapping's key; what filters such as `map(attribute=…)` see."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The mapping's key or the list's entry; what filters such as `map(attribute=…)` see."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, Mapping):
            found = obj.get(argument, _NO_DEFAULT)
            if found is not _NO_DEFAULT:
                return found
        elif isinstance(obj, list | tuple) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(hint=f"there is no `{argument}` in the {kind_of(obj)}")
