"""`$DURUN_OUTPUT` of an attempt in a run that has secrets: a named pipe, so that no output is ever a file in clear."""

from __future__ import annotations

import os

CAP = 8 << 20
"""Bytes that are taken; a step that writes more has too many outputs, which whoever reads them finds by the size."""

_CHUNK = 1 << 16
_PIPE_MAX = 1 << 20


class Outlet:
    """A pipe with a name, which a step's own children can open too, however they were started.

    `reading` is our end. `held` is both ends at once: the step has it as a descriptor too, so that should we be killed,
    the step can go on to write and to end, instead of waiting for ever for a reader.
    """

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        os.mkfifo(path, 0o600)
        self._path = path
        self.reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.held = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.content = bytearray()

    def take(self) -> bool:
        """Take a chunk of what was written; False if there is none now. One byte over the cap is kept, to tell."""
        try:
            chunk = os.read(self.reading, _CHUNK)
        except BlockingIOError:
            return False
        self.content += chunk[: CAP + 1 - len(self.content)]
        return bool(chunk)

    def close(self) -> None:
        """The step is over: take what is there. What a daemon that it left writes from now on goes nowhere.

        Were the name free, that would make a file of it.
        """
        for _ in range(_PIPE_MAX // _CHUNK):
            if not self.take():
                break
        os.close(self.reading)
        os.close(self.held)
        draft = f"{self._path}.over"
        os.symlink(os.devnull, draft)  # noqa: PTH211  (the supervisor's files are plain strings)
        os.rename(draft, self._path)  # noqa: PTH104
