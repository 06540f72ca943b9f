"""Room at the end of the write-ahead log, so that a commit writes over what is there instead of making the file longer.

A commit that makes it longer waits for the file system's own journal as well: on ext4 that is three times as long. So
once SQLite has come to the end of the file, zeros are put behind it, as much again as there is. SQLite reads a log up
to the first frame that is not whole, and zeros are none; it takes them for what an older log has left.
"""

from __future__ import annotations

import os
from contextlib import suppress

_HEADER, _FRAME = 32, 24 + 4096
_BLOCK = 4096
_LEAST, _MOST = 1 << 16, 1 << 20


def reserve(log: str) -> None:
    """Make room behind the last frame, if that is the end of the file. Call it with the write mutex held.

    The next commit makes the zeros durable as well. A disk that refuses them leaves the log as it is.
    """
    with suppress(OSError):
        size = os.stat(log).st_size  # noqa: PTH116  (every commit pays for it)
        if size and (size - _HEADER) % _FRAME == 0:
            _extend(log, size)


def _extend(log: str, size: int) -> None:
    end = (size + min(max(size, _LEAST), _MOST)) // _BLOCK * _BLOCK
    if (end - _HEADER) % _FRAME == 0:  # where it would look like the end of a frame
        end += _BLOCK
    descriptor = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, bytes(end - size), size)
    finally:
        os.close(descriptor)
