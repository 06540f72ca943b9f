"""Finds thousands of patterns in a chunk of bytes at once, and what at its end may become one.

An automaton looks for the first bytes of the patterns only, which keeps it small enough for the caches of the
processor; what it finds is looked up in the sorted patterns. Patterns can be added at any time without building all
anew: they stand in levels, each several times as large as the next one, which are merged as they grow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

_SEED = 8
"""How many bytes of a pattern the automaton looks for."""

_TABLE = 8000
"""Up to so many of them as a table of all transitions: more than twice as fast, but 25 MB and 50 ms for this many."""

_GROWTH_BITS = 3


class Scan(NamedTuple):
    """`spans` are the places of patterns, in no order; from each of `opens`, a pattern may go on behind the end."""

    spans: list[tuple[int, int]]
    opens: list[int]


class Matcher:
    """A growing set of patterns, none of them empty."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._new: set[bytes] = set()
        self._levels: list[_Level] = []
        self._longest = 0

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, patterns: Iterable[bytes]) -> None:
        """Look for these, too, from the next scan on."""
        new = set(patterns) - self._known
        self._new |= new
        self._known |= new

    def scan(self, text: bytes) -> Scan:
        """All places of all patterns."""
        if self._new:
            self._grow()
        spans: list[tuple[int, int]] = []
        opens: list[int] = []
        edge = len(text) - self._longest
        for level in self._levels:
            for _, start, _ in level.automaton.find_matches_as_indexes(text, overlapping=True):
                spans.extend((start, start + length) for length in level.lengths_at(text, start))
                if start > edge and level.begins_with(text[start:]):
                    opens.append(start)
            # What is too short to be found by the automaton.
            ends = range(max(0, len(text) - _SEED + 1), len(text))
            opens.extend(start for start in ends if level.begins_with(text[start:]))
        return Scan(spans, opens)

    def _grow(self) -> None:
        patterns = sorted(self._new)
        self._new = set()
        self._longest = max(self._longest, *map(len, patterns))
        while self._levels and _size_class(self._levels[-1].patterns) <= _size_class(patterns):
            patterns = sorted(self._levels.pop().patterns + patterns)
        self._levels.append(_level(patterns))


class _Level(NamedTuple):
    """Some of the patterns, sorted; `prefix` is for each the index of the longest other that it begins with, or -1."""

    patterns: list[bytes]
    prefix: list[int]
    longest: int
    automaton: BytesAhoCorasick

    def lengths_at(self, text: bytes, start: int) -> Iterator[int]:
        """The lengths of all patterns that stand here."""
        rest = text[start : start + self.longest]
        # A pattern that stands here is the last one that sorts before the rest, or that one begins with it.
        index = bisect_right(self.patterns, rest) - 1
        while index >= 0:
            if rest.startswith(self.patterns[index]):
                yield len(self.patterns[index])
            index = self.prefix[index]

    def begins_with(self, end: bytes) -> bool:
        """Whether a pattern begins with this and goes on."""
        index = bisect_right(self.patterns, end)
        return index < len(self.patterns) and self.patterns[index].startswith(end)


def _level(patterns: list[bytes]) -> _Level:
    # Imported here: a supervisor without secrets does without.
    from ahocorasick_rs import BytesAhoCorasick, Implementation

    seeds = sorted({pattern[:_SEED] for pattern in patterns})
    kind = Implementation.DFA if len(seeds) <= _TABLE else Implementation.ContiguousNFA
    automaton = BytesAhoCorasick(seeds, implementation=kind)
    return _Level(patterns, list(_prefixes(patterns)), max(map(len, patterns)), automaton)


def _prefixes(patterns: list[bytes]) -> Iterator[int]:
    open_: list[int] = []
    for index, pattern in enumerate(patterns):
        while open_ and not pattern.startswith(patterns[open_[-1]]):
            open_.pop()
        yield open_[-1] if open_ else -1
        open_.append(index)


def _size_class(patterns: list[bytes]) -> int:
    return (len(patterns).bit_length() - 1) // _GROWTH_BITS
