"""The options of an action once their expressions are evaluated: checked, or refused with their name."""

from __future__ import annotations

from collections.abc import Collection

from durun.model.values import Json


class WrongOption(Exception):
    """An option is not what it must be; the text says which, and what it must be."""


class Options:
    """Options as they were given. Every method raises WrongOption."""

    def __init__(self, given: Json) -> None:
        self._given = given if isinstance(given, dict) else {}

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in a range."""
        value = self._given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise WrongOption(f"`{name}` must be a whole number from {least} to {most}")
        return value

    def one_of(self, name: str, default: Json, values: Collection[Json]) -> Json:
        """One of some values."""
        value = self._given.get(name, default)
        if value not in values or isinstance(value, bool):
            raise WrongOption(f"`{name}` must be one of {', '.join(map(str, values))}")
        return value

    def line(self, name: str, default: str, most: int) -> str:
        """A text on one line."""
        value = self._given.get(name, default)
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            raise WrongOption(f"`{name}` must be a text on one line, of at most {most} characters")
        return value

    def lines(self, name: str) -> list[str]:
        """A list of texts, which may be missing."""
        values = self._given.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise WrongOption(f"`{name}` must be a list of texts")
        return values

    def values(self, name: str) -> list[Json]:
        """A list with something in it."""
        values = self._given.get(name)
        if not isinstance(values, list) or not values:
            raise WrongOption(f"`{name}` must be a list with at least one value")
        return values
