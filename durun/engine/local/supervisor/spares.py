"""Empty folders that are lent to attempts.

To make one for each attempt, and to remove it again, costs the file system as much as all the rest of an attempt, and
most leave nothing in it. So a folder that comes back empty is lent again, under another name; whoever still writes to
its old one finds nothing there.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Spares:
    """The spare folders of one session of a run."""

    def __init__(self, run_folder: Path, session: int) -> None:
        self._prefix = f"{run_folder}/spare-{session}"
        self._made = 0
        self._free: list[str] = []

    def lend(self, place: str) -> None:
        """Put an empty folder there. Raises OSError."""
        if self._free:
            os.rename(self._free.pop(), place)  # noqa: PTH104
        else:
            os.mkdir(place, 0o700)  # noqa: PTH102

    def take_back(self, place: str) -> bool:
        """Whether it is empty, or gone; then it is not there any more. Raises OSError."""
        self._made += 1
        spare = f"{self._prefix}-{self._made}"
        try:
            os.rename(place, spare)  # noqa: PTH104
        except FileNotFoundError:
            return True
        # Only now: nobody can put something into it by its name any more.
        if not _is_empty(spare):
            os.rename(spare, place)  # noqa: PTH104
            return False
        self._free.append(spare)
        return True

    def remove(self) -> None:
        """Remove those that nobody has."""
        for spare in self._free:
            with contextlib.suppress(OSError):
                os.rmdir(spare)  # noqa: PTH106
        self._free.clear()


def _is_empty(place: str) -> bool:
    """Not where that can't be told: it may be no folder any more."""
    try:
        with os.scandir(place) as entries:
            return next(entries, None) is None
    except OSError:
        return False
