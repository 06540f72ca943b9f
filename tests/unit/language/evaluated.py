"""Expressions in a scope, for tests."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from durun.language.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    evaluate,
    parse_expression,
    parse_value,
)


class Lazy(Mapping[str, Any]):
    """A mapping that is no dict, as the engine makes them for steps and targets."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


SCOPE: dict[str, Any] = {
    "inputs": {
        "name": "app", "count": 3, "on": True, "none": None, "list": [1, 2], "frozen": (1, 2), "empty": [],
        "copy": "c", "items": "i", "get": "g", "keys": "k", "values": "v",
        "hosts": [{"name": "a", "up": True}, {"name": "b", "up": False}],
        "big": "x" * 600_000,
    },
    "steps": Lazy({"a": Lazy({"outputs": Lazy({"x": 1})}), "skipped": Lazy({"outputs": {}})}),
}  # fmt: skip


def value(text: str, scope: Mapping[str, Any] = SCOPE) -> Any:
    return evaluate(parse_expression(text), scope)


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    return caught.value


def syntax_error(text: str) -> ExpressionSyntaxError:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_value(text)
    return caught.value
