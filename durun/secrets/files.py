"""Files that hold a secret in clear: read only if they are their owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from durun.errors import SecretUnavailable, typed

LARGEST = 1 << 20
"""Bytes in the largest secret."""

_ROOT = 0


def read_private(path: Path, credential: bool = False, largest: int = LARGEST) -> bytes | None:
    """The content of the file, or None if it is not there. Raises SecretUnavailable if it is not its owner's alone.

    `credential`: systemd made it. Then it may be root's, and its group's bits tell who was let in by an ACL.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if path.is_symlink():
            raise SecretUnavailable(f"{path} is a symbolic link", "put the file itself there") from None
        raise SecretUnavailable(f"can't read {path}: {error.strerror}", "see who may read it") from None
    try:
        _require_own(path, os.fstat(descriptor), credential)
        content = _read(descriptor, largest)
    except OSError as error:
        raise SecretUnavailable(f"can't read {path}: {error.strerror}", "see to the disk") from None
    finally:
        os.close(descriptor)
    if len(content) > largest:
        raise SecretUnavailable(f"{path} is too large for a secret", f"up to {largest} bytes")
    return content


def _read(descriptor: int, largest: int) -> bytes:
    content = b""
    while len(content) <= largest and (more := os.read(descriptor, largest + 1)):
        content += more
    return content


def _require_own(path: Path, found: os.stat_result, credential: bool) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise SecretUnavailable(f"{path} is not a file", "put the secret into a file")
    if found.st_uid != os.geteuid() and not (credential and found.st_uid == _ROOT):
        raise SecretUnavailable(f"{path} belongs to another user (uid {found.st_uid})", "use a file of your own")
    if mode & (0o037 if credential else 0o077):
        raise SecretUnavailable(f"{path} is open to other users (mode {mode:04o})", f"chmod 600 {typed(path)}")
