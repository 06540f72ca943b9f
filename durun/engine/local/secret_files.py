"""Secret files: 0600, in memory (tmpfs), in a folder of the attempt's own, gone after it.

Standard library only: the supervisor writes them. When that is killed, whoever settles the attempt removes them;
when the machine is, memory is empty.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping

_PREFIX = "durun-"


def write_secret_files(nonce: str, files: Mapping[str, str]) -> dict[str, str]:
    """Write each file's content, and return the paths by the same names (those of variables).

    `nonce` is the attempt's. Raises OSError; then nothing is left.
    """
    folder = f"{_memory()}/{_PREFIX}{nonce}"
    os.mkdir(folder, 0o700)  # noqa: PTH102  (exclusive: a folder that is there already is somebody else's)
    try:
        return {name: _write(f"{folder}/{name}", content) for name, content in files.items()}
    except BaseException:
        _remove(folder)
        raise


def remove_secret_files(nonce: str) -> None:
    """Remove what an attempt was given; nothing if that is gone. What can't be removed is left."""
    for place in _places():
        _remove(f"{place}/{_PREFIX}{nonce}")


def left_over() -> set[str]:
    """The nonces of all attempts, of whatever run, whose secret files are there."""
    found: set[str] = set()
    for place in _places():
        with contextlib.suppress(OSError):
            names = os.listdir(place)  # noqa: PTH208  (the supervisor's files are plain strings)
            found.update(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))
    return found


def memory_place() -> str | None:
    """Where secret files would be written; None if there is no file system in memory."""
    kinds = _mounts()
    for place in _places():
        if os.access(place, os.W_OK | os.X_OK) and kinds.get(_mount_of(place, kinds)) in ("tmpfs", "ramfs"):
            return place
    return None


def _remove(folder: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208  (the supervisor's files are plain strings)
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106


def _memory() -> str:
    place = memory_place()
    if place is None:
        text = "there is no file system in memory (tmpfs) for secret_files"
        raise OSError(errno.ENOENT, text, " or ".join(_places()))
    return place


def _places() -> Iterator[str]:
    """The user's own runtime folder first; /dev/shm is everybody's, and sticky."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(own):  # noqa: PTH117
        yield own
    yield f"/run/user/{os.getuid()}"
    yield "/dev/shm"


def _write(path: str, content: str) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content.encode("utf-8", "surrogateescape"))
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
    return path


def _mounts() -> dict[str, str]:
    """Mount point → kind of file system, the last one of a place counts (proc(5), mountinfo)."""
    kinds = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                kinds[before.split(" ")[4].replace("\\040", " ")] = after.split(" ")[0]
    except OSError:
        return {}
    return kinds


def _mount_of(place: str, mounts: Mapping[str, str]) -> str:
    path = os.path.realpath(place)
    while path not in mounts and path != "/":
        path = os.path.dirname(path)  # noqa: PTH120
    return path
