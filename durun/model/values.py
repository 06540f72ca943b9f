"""The words for data in annotations, and the strings in it that are worked out when they are needed."""

from __future__ import annotations

from typing import Any, TypeAlias

from durun.model.slotted import Fixed

Json: TypeAlias = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of them."""

Value: TypeAlias = Any
"""Json whose strings may be `Template`s (sequences are tuples, mappings are dicts)."""


class Expression(Fixed):
    """The text between `${{` and `}}`, trimmed: a Jinja2 expression, already checked."""

    __slots__ = ("source",)
    source: str

    def __init__(self, source: str) -> None:
        super().__init__(source)


class Template(Fixed):
    """A string with at least one expression. One part alone keeps the type of its value."""

    __slots__ = ("parts",)
    parts: tuple[str | Expression, ...]

    def __init__(self, parts: tuple[str | Expression, ...]) -> None:
        super().__init__(parts)

    @property
    def whole(self) -> Expression | None:
        """The expression, when the string is nothing else."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Expression) else None
