"""Folders of attempts that are made before their time, so that fewer names are to be made durable.

What an attempt wrote counts once it is on the disk, and the names on the way to it: its log, its folder, and the folder
of all attempts. Each of these syncs costs as much as all else of the attempt. The last one is needed only for a folder
that is newer than the last such sync: so before it the next attempts get theirs, twice as many each time.

A folder without a gate is nothing: it says the same as none. The runner removes those that no attempt came to
(`folder.remove_unused`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from durun.engine.local import folder as folders
from durun.engine.local.names import attempt_folder

_MOST = 63


class Ahead:
    """The attempts' folders of one run, as one supervisor makes them."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._begun = 0
        self._ahead = 0
        # Up to this number every folder's name is durable, but of those that were made since.
        self._durable = 0
        self._since: set[int] = set()
        self._named = False

    def make(self, number: int) -> None:
        """Make the folder of an attempt that begins, if it is not there yet. Raises OSError."""
        if folders.make_folder(attempt_folder(self._run_folder, number)) and number <= self._durable:
            self._since.add(number)
        self._begun = max(self._begun, number)

    def sync(self, number: int) -> None:
        """Make the name of an attempt's folder durable, and those around it. Raises OSError."""
        if number <= self._durable and number not in self._since:
            return
        last = self._make_more() if number > self._durable else self._durable
        folders.sync(attempt_folder(self._run_folder, number).parent)
        if not self._named:
            folders.sync(self._run_folder)
            self._named = True
        self._durable = last
        self._since.clear()

    def _make_more(self) -> int:
        """Make folders for attempts to come; the last one's number. One that can't be made is made when it begins."""
        last = self._begun + self._ahead
        self._ahead = min(2 * self._ahead + 1, _MOST)
        for number in range(self._begun + 1, last + 1):
            with suppress(OSError):
                folders.make_folder(attempt_folder(self._run_folder, number))
        return last
