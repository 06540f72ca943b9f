"""Values that are no tuples. `dataclasses` would make every start load `inspect`, a twentieth of what one costs."""

from __future__ import annotations

from typing import Any


class Slotted:
    """Something whose fields are its `__slots__`: equal and shown by them."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


class Fixed(Slotted):
    """One that never changes, and so may be a key."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} never changes")

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))
