"""`$DURUN_OUTPUT` of an attempt in a run that has secrets: a named pipe, so that no output is ever a file in clear."""

from __future__ import annotations

import os

CAP = 8 << 20
"""Bytes that are taken; a step that writes more has too many outputs, which whoever reads them finds by the size."""


class Outlet:
    """A pipe with a name, which a step's own children can open too, however they were started."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        os.mkfifo(path, 0o600)
        self._path = path
        self.reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # While we hold a writing end ourselves, the pipe has no end before the step has one.
        self._writing: int | None = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.content = bytearray()

    def take(self, chunk: bytes) -> None:
        """Keep what was written; one byte over the cap is kept, to tell."""
        self.content += chunk[: CAP + 1 - len(self.content)]

    def let_end(self) -> None:
        """The step is over: the pipe ends when the last process that holds it does."""
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None

    def abandon(self) -> None:
        """Close the reading end, which otherwise is closed by whoever reads: the step was not started."""
        os.close(self.reading)

    def remove(self) -> None:
        """Take the name away."""
        self.let_end()
        os.unlink(self._path)  # noqa: PTH108  (the supervisor's files are plain strings)
