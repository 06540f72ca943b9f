"""What waits to be written while a terminal or a pipe does not take it: bounded for eyes, unbounded for programs."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path
from typing import IO, Protocol


class Backlog(Protocol):
    """Bytes that wait, in order. Never blocks and never raises."""

    def push(self, data: bytes) -> None:
        """Keep `data` (whole lines)."""

    def pull(self) -> bytes:
        """Take some of what waits, the oldest first; empty when nothing waits."""


class BoundedBacklog:
    """Keeps at most `limit` bytes. What comes beyond is dropped, and a mark says how many lines that were."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0

    def push(self, data: bytes) -> None:
        """Keep `data`, or count its lines as dropped."""
        if self._dropped or self._size + len(data) > self._limit:
            self._dropped += data.count(b"\n")
            return
        self._waiting.append(data)
        self._size += len(data)

    def pull(self) -> bytes:
        """Everything that waits, then the mark."""
        data = b"".join(self._waiting)
        if self._dropped:
            data += f"[{self._dropped} lines dropped: the reader was too slow; see `durun show`]\n".encode()
        self._waiting.clear()
        self._size = self._dropped = 0
        return data


class SpooledBacklog:
    """Keeps everything: the first `limit` bytes in memory, the rest in an unnamed file in `folder`.

    When the disk refuses, it stays in memory: what a program reads is never dropped.
    """

    def __init__(self, folder: Path, limit: int = 1 << 20) -> None:
        self._folder = folder
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._file: IO[bytes] | None = None
        self._read = self._written = 0
        self._late: deque[bytes] = deque()

    def push(self, data: bytes) -> None:
        """Keep `data`."""
        on_disk = self._written > self._read
        if not on_disk and not self._late and self._size + len(data) <= self._limit:
            self._waiting.append(data)
            self._size += len(data)
        elif self._late or not self._spool(data):
            self._late.append(data)

    def _spool(self, data: bytes) -> bool:
        with contextlib.suppress(OSError):
            if self._file is None:
                import tempfile  # seldom needed, and every start would pay for it

                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  (lives as long as the view)
            self._file.seek(self._written)
            if self._file.write(data) == len(data):
                self._written += len(data)
                return True
        return False

    def pull(self) -> bytes:
        """The oldest part of what waits: from memory, then from the file, then what the disk refused."""
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            return data
        if self._file is not None and self._written > self._read:
            self._file.seek(self._read)
            data = self._file.read(min(1 << 16, self._written - self._read))
            self._read += len(data)
            if self._read == self._written:
                self._file.close()
                self._file, self._read, self._written = None, 0, 0
            return data
        data = b"".join(self._late)
        self._late.clear()
        return data
