"""Files that are there whole or not at all, also if the power fails. Standard library only: the supervisor needs it."""

from __future__ import annotations

import os


def write_durably(path: str | os.PathLike[str], content: bytes, mode: int = 0o600) -> None:
    """Put the content into the file, whole or not at all, durable with its name. Raises OSError."""
    write_whole(path, content, mode)
    sync_folder(os.path.dirname(os.fspath(path)) or ".")  # noqa: PTH120


def write_whole(path: str | os.PathLike[str], content: bytes, mode: int = 0o600) -> None:
    """The same, but its name is durable only when its folder is: for many files in one folder. Raises OSError."""
    target = os.fspath(path)
    draft = f"{target}.{os.urandom(8).hex()}"
    try:
        _write(draft, content, mode)
        os.rename(draft, target)  # noqa: PTH104  (the supervisor's files are plain strings)
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)  # noqa: PTH108
        raise


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, mode)  # whatever the umask
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
