"""Files in a folder where others may write: taken only as what they are, and told by whom the kernel says they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

LARGEST = 1 << 20
"""Bytes in the largest file that is looked at."""


class Found(NamedTuple):
    """A regular file of one name: who owns it, and what it holds."""

    uid: int
    content: bytes


class Suspect(Exception):
    """Something in the folder that is not what it should be. `uid` is its owner, where that could be told."""

    def __init__(self, why: str, uid: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.uid = uid


def read_exact(path: Path) -> Found | None:
    """The file itself, opened once and asked for everything by that; None if it is gone. Raises Suspect."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Suspect(*_unopened(path, error)) from None
    try:
        found = os.fstat(descriptor)
        if (why := _fault(found)) is not None:
            raise Suspect(why, found.st_uid)
        content = os.read(descriptor, LARGEST + 1)
        if len(content) > LARGEST:
            raise Suspect("is too large", found.st_uid)
        return Found(found.st_uid, content)
    except OSError as error:
        raise Suspect(f"can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def write_exact(path: Path, content: bytes, mode: int = 0o640) -> None:
    """A new file of this very process's user, whole and durable. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Who reads it takes nothing that does not end as it should, and so nothing half-written.
        if os.write(descriptor, content) != len(content):
            raise OSError(0, "the disk is full")
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _fault(found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_nlink != 1:
        return f"has {found.st_nlink} names (hard links)"
    if found.st_mode & 0o022:
        return f"can be written by others (mode {stat.S_IMODE(found.st_mode):04o})"
    return None


def _unopened(path: Path, error: OSError) -> tuple[str, int | None]:
    try:
        found = path.lstat()
    except OSError:
        return f"can't be read: {error.strerror}", None
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link", found.st_uid
    return f"can't be read: {error.strerror}", found.st_uid
