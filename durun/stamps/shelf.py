"""Where timestamps are kept: a folder with a file for each entry of the register that was stamped.

`00000007.tsr` is the timestamp of entry 7; `00000007.why` says why it has none.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from durun.durable import write_durably

_NAME = re.compile(r"([0-9]{8,})\.tsr")


class Wanting(NamedTuple):
    """An entry that was to be stamped and is not, nor a later one, which would cover it: why, and when it was asked."""

    entry: int
    why: str
    asked_at: float


class Shelf:
    """The timestamps of one state directory. The folder is made when the first one is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """The entries that have one, in order."""
        return sorted(int(found[1]) for path in self._folder.glob("*.tsr") if (found := _NAME.fullmatch(path.name)))

    def read(self, number: int) -> bytes | None:
        """The timestamp of an entry, as the authority sent it. Raises OSError."""
        try:
            return self._path(number, "tsr").read_bytes()
        except FileNotFoundError:
            return None

    def wanting(self) -> Wanting | None:
        """The newest entry that was to be stamped, if neither it nor a later one is. Raises OSError."""
        asked = (int(path.stem) for path in self._folder.glob("*.why") if path.stem.isdigit())
        newest = max(asked, default=0)
        with suppress(FileNotFoundError):  # just then it was stamped
            path = self._path(newest, "why")
            found = Wanting(newest, path.read_text(encoding="utf-8"), path.stat().st_mtime)
            return found if newest > max(self.numbers(), default=0) else None
        return None

    def keep(self, number: int, answer: bytes) -> None:
        """Keep a timestamp, whole or not at all, also if the power fails. Raises OSError."""
        self._write(self._path(number, "tsr"), answer)
        self._path(number, "why").unlink(missing_ok=True)

    def note(self, number: int, why: str) -> None:
        """Say why an entry has none. Raises OSError."""
        self._write(self._path(number, "why"), why.encode())

    def _path(self, number: int, end: str) -> Path:
        return self._folder / f"{number:08}.{end}"

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, content)
