"""Where we are: what must be equal for a missing gate to prove anything."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import NamedTuple

from durun.engine.local import procs

# linux/stat.h: the flag and mask, and where struct statx keeps the answer.
_MNT_ID_UNIQUE = 0x4000
_SIZE, _AT_MASK, _AT_MNT_ID = 256, 0, 0x90
_AT_FDCWD = -100


class Whereabouts(NamedTuple):
    """A machine since its start, a space of pids, the mount that holds the state, and the machine's name."""

    boot_id: str
    pid_namespace: str
    mount_id: str
    host: str


def here(state_dir: Path) -> Whereabouts:
    """The place of this process. Raises OSError if the state directory is not there."""
    return Whereabouts(procs.boot_id(), procs.pid_namespace(), mount_id(state_dir), os.uname().nodename)


def mount_id(path: Path) -> str:
    """A word for the mount that `path` is on: another one once it has been unmounted and mounted again.

    From Linux 6.8 on the kernel has one that it never gives out twice. Before that, the mount's number is joined with
    the device and what the mount table says; elsewhere it is the device.
    """
    if os.uname().sysname != "Linux":
        return f"device:{path.stat().st_dev}"
    return _unique_mount_id(path) or _mount_id_of_old(path)


def _unique_mount_id(path: Path) -> str:
    statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)
    if statx is None:
        return ""
    answer = ctypes.create_string_buffer(_SIZE)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _MNT_ID_UNIQUE, answer) != 0:
        return ""
    told = int.from_bytes(answer.raw[_AT_MASK : _AT_MASK + 4], sys.byteorder)
    number = int.from_bytes(answer.raw[_AT_MNT_ID : _AT_MNT_ID + 8], sys.byteorder)
    return f"unique:{number}" if told & _MNT_ID_UNIQUE else ""


def _mount_id_of_old(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        said = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    finally:
        os.close(descriptor)
    number = next((line.split()[1] for line in said.splitlines() if line.startswith("mnt_id:")), "-")
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    entry = next((line for line in mounts if line.split()[0] == number), "")
    return f"mount:{number} device:{path.stat().st_dev} {entry}"
