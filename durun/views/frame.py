"""A block of lines at the bottom of a terminal, painted over in place: what is written again at once is not wiped."""

from __future__ import annotations

import os
import re

from durun.views.text import width_of

_STYLING = re.compile("\x1b\\[[0-9;]*m")


class Frame:
    """The block that is `shown`, and the one that comes `next`, if there is one."""

    def __init__(self, descriptor: int) -> None:
        self.shown: list[str] = []
        self.next: list[str] | None = None
        self._descriptor = descriptor
        self._columns = 0

    def around(self, text: bytes, encoding: str) -> bytes:
        """`text` above the block, and the block; empty if nothing has changed."""
        frame, self.next = self.next, None
        if frame is None and not (text and self.shown):
            return text
        columns, rows = size_of(self._descriptor)
        lines = [] if _elsewhere(self._descriptor) else (self.shown if frame is None else frame)[: rows - 1]
        if not text and lines == self.shown and columns == self._columns:
            return b""
        up = self._up(columns, rows)
        if text or columns != self._columns:
            painted = f"{up}\x1b[J" if up else "", "".join(f"{line}\n" for line in lines)
        else:
            # What is below goes too: fewer lines than before, or the ^C that the terminal has shown.
            painted = up, "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J"
        self.shown, self._columns = lines, columns
        before, after = (part.encode(encoding, "backslashreplace") for part in painted)
        return before + text + after

    def _up(self, columns: int, rows: int) -> str:
        """To the first row of what is shown: a terminal that was made narrower has broken lines in two."""
        used = sum(max(1, -(-width_of(_STYLING.sub("", line)) // columns)) for line in self.shown)
        return f"\x1b[{min(used, rows - 1)}F" if used else ""


def size_of(descriptor: int) -> tuple[int, int]:
    """Columns and rows of a terminal; 80 and 24 where they are not known."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        return 80, 24
    return columns or 80, rows or 24


def _elsewhere(descriptor: int) -> bool:
    """Whether the terminal is another job's now: then a picture would be painted over what that writes."""
    try:
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:
        return False
