from __future__ import annotations

import copy
import pickle
import re
import typing
from pathlib import Path

import pytest

from durun.model.tuples import NamedTuple

ROOMS = [Path(__file__).parents[3] / "durun" / room for room in ("model", "journal")]


class Ours(NamedTuple):
    """A value."""

    number: int
    words: tuple[str, ...] = ()
    other: Ours | None = None

    @property
    def twice(self) -> int:
        """Twice the number."""
        return self.number * 2

    def plus(self, more: int) -> Ours:
        """Another."""
        return self._replace(number=self.number + more)

    @classmethod
    def one(cls) -> Ours:
        """The first."""
        return cls(1)


class Theirs(typing.NamedTuple):
    """A value."""

    number: int
    words: tuple[str, ...] = ()
    other: Theirs | None = None


def test_it_is_what_typing_would_have_made():
    ours, theirs = Ours(2, ("a",)), Theirs(2, ("a",))
    assert ours == theirs == (2, ("a",), None)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    for name in ("_fields", "_field_defaults", "__doc__", "__slots__", "__module__", "__match_args__"):
        assert getattr(Ours, name, None) == getattr(Theirs, name, None)
    assert Ours.__qualname__ == "Ours"
    assert Ours.__mro__[1:] == Theirs.__mro__[1:] == (tuple, object)
    assert typing.get_type_hints(Ours)["number"] is int


def test_its_methods_are_its_own():
    assert Ours(3).plus(1).twice == 8
    assert Ours.one() == (1, (), None)
    assert Ours._make([1, (), None])._asdict() == {"number": 1, "words": (), "other": None}


def test_it_can_be_sent_elsewhere():
    value = Ours(1, other=Ours(2))
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert type(pickle.loads(pickle.dumps(value)).other) is Ours


@pytest.mark.parametrize("wrong", [{}, {"number": 1, "unknown": 2}])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(TypeError):
        Ours(**wrong)
    with pytest.raises(AttributeError):
        Ours(1).number = 2  # type: ignore[misc]


def test_whatever_every_start_loads_is_made_so():
    files = [file for room in ROOMS for file in room.glob("*.py") if file.name != "tuples.py"]
    assert files
    assert [f.name for f in files if re.search(r"from typing import .*\bNamedTuple\b", f.read_text("utf-8"))] == []
