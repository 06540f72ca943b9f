"""A view of bytes without what breaks long words into lines, and the way back from it to the bytes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property

from durun.secrets.forms import UNBROKEN

_BREAKS = b" \t\r\n\\"
_RUN = re.compile(rb"[ \t\r\n\\]+")

REACH = 1024
"""How many bytes a match may take with all breaks in it; so that what is held back is bounded."""


class Joined:
    """`text` is the data without white space, backslashes, and `\\n` and `\\r` as written in JSON."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # As many bytes as before, so that one rule leads back to the places in the data.
        self._blanked = data.replace(b"\\n", b"  ").replace(b"\\r", b"  ") if b"\\" in data else data
        self.text = self._blanked.translate(None, _BREAKS)

    def spans(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Where these parts of the text are in the data; leaves out what can't be a match."""
        for start, end in spans:
            first, last = self._place(start), self._place(end - 1)
            if last - first < REACH and self._unbroken(start, first):
                yield first, last + 1

    def safe(self, opens: Iterable[int]) -> int:
        """From here on the data may be part of a match that begins at one of these places in the text, and goes on."""
        size = len(self._data)
        for start in sorted(opens):
            left = len(self.text) - start
            first = size - left if left < UNBROKEN else self._place(start)
            if size - first < REACH and self._unbroken(start, first):
                return first
        return size

    def _unbroken(self, start: int, first: int) -> bool:
        return self._data[first : first + UNBROKEN] == self.text[start : start + UNBROKEN]

    def _place(self, index: int) -> int:
        indexes, removed = self._runs
        run = bisect_right(indexes, index)
        return index + (removed[run - 1] if run else 0)

    @cached_property
    def _runs(self) -> tuple[list[int], list[int]]:
        """Before which index of the text something was taken out, and how much up to there."""
        indexes: list[int] = []
        removed: list[int] = []
        total = 0
        for run in _RUN.finditer(self._blanked):
            indexes.append(run.start() - total)
            total += run.end() - run.start()
            removed.append(total)
        return indexes, removed
