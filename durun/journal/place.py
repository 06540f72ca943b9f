"""Where the journal may live: a folder of its owner alone, on a disk of this machine.

Group- or world-readable state would show what was done to every account; locks and shared memory, which a
SQLite journal in WAL mode rests on, do not work over a network.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from durun.durable import sync_folder
from durun.errors import StorageFailed, Unsafe, typed

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "glusterfs", "beegfs", "ncpfs", "coda"}
    | {f"fuse.{name}" for name in ("sshfs", "glusterfs", "s3fs", "rclone", "ceph-fuse")}
)
"""File systems as /proc/self/mountinfo names them."""

MEMORY = frozenset({"tmpfs", "ramfs"})
"""Those that a restart of the machine takes with it."""

OWN_FOLDER = "set DURUN_HOME to a folder of its own"

_FIRST = frozenset(
    {"journal.db", "journal.lock", "fingerprint.key", "keyring.json", "seal.json", "sign.json", "requests", "approvals"}
)
_SHARED = 65_536
"""Room for two pieces of what is shared, in bytes: more than is ever made at once."""

_UNMADE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM})


def prepare(path: Path) -> None:
    """Make the folder of the journal at `path` if it is missing (0700, durable), and refuse an unsafe one.

    Raises Unsafe, StorageFailed.
    """
    folder = path.parent
    try:
        _make(folder)
    except OSError as error:
        hint = OWN_FOLDER if error.errno in _UNMADE else "see to the disk, then try again"
        raise StorageFailed(f"can't use {folder}: {error.strerror}", hint) from error
    require_safe(path)


def require_safe(path: Path) -> None:
    """Refuse a journal at `path` that is not its owner's alone on a disk of this machine, in a folder that is there.

    Raises Unsafe, StorageFailed.
    """
    folder = path.parent
    try:
        require_folder(folder)
        require_private(folder)
        require_private(path)
        if (refused := unwritable(folder)) is not None:
            raise refused
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise Unsafe(f"can't write to {path}", f"chmod u+rw {typed(path)}, or remount it writable")
        _require_local(folder)
    except OSError as error:
        raise StorageFailed(f"can't use {folder}: {error.strerror}", "see to the disk, then try again") from error


def require_folder(folder: Path) -> None:
    """Refuse a state directory that is there and is none. Raises Unsafe."""
    if folder.exists() and not folder.is_dir():
        raise Unsafe(f"{folder} is no folder", OWN_FOLDER)


def unwritable(folder: Path) -> Unsafe | None:
    """Why a state directory is refused that can't be written; None if it can."""
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    return Unsafe(f"can't write to {folder}", f"chmod u+rwx {typed(folder)}, or remount it writable")


def require_room(path: Path) -> None:
    """Refuse a full disk whose blocks are smaller than a page of memory, as a small ext4 has them.

    What SQLite shares beside the journal is mapped, and it makes sure of one block of each page only: where another
    can't be had, nothing is refused, but whoever touches it is killed (SIGBUS), with no word. Raises StorageFailed.
    """
    found = os.statvfs(path.parent)
    if found.f_bsize < os.sysconf("SC_PAGESIZE") and found.f_bavail * found.f_frsize < _SHARED:
        raise StorageFailed(f"the disk is full: {path.parent}", "make room there, then try again")


def is_strange(folder: Path) -> bool:
    """Whether a folder has things in it, and nothing that durun puts into a state directory before all else.

    What is in it is then not durun's to change, nor is its mode.
    """
    try:
        names = set(os.listdir(folder))  # noqa: PTH208  (names are all that is wanted)
    except OSError:
        return False
    return bool(names) and names.isdisjoint(_FIRST)


def has_runs(folder: Path) -> bool:
    """Whether the state directory has the folder of a run: none is made before the journal."""
    try:
        with os.scandir(folder / "runs") as entries:
            return any(entry.is_dir() for entry in entries)
    except OSError:
        return False


def create(path: Path) -> None:
    """Make an empty file, 0600 whatever the umask, whose name outlives a power cut. Nothing, if it is there.

    Raises StorageFailed.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise StorageFailed(f"can't create {path}: {error.strerror}", "see to the disk, then try again") from error
    try:
        os.fchmod(fd, 0o600)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageFailed(f"can't create {path}: {error.strerror}", "see to the disk, then try again") from error
    finally:
        os.close(fd)


def require_private(path: Path) -> None:
    """Refuse what others may read, or own. Raises Unsafe with the command that mends it. Missing is fine."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        raise _closed(path.parent) from None
    if stat.S_ISLNK(found.st_mode):
        if not path.is_dir():
            raise Unsafe(f"{path} is a symbolic link", "put the journal itself there")
        found = path.stat()
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise Unsafe(f"{path} is neither a file nor a folder", f"move it away: mv {typed(path)} {typed(f'{path}.odd')}")
    wanted = "700" if stat.S_ISDIR(found.st_mode) else "600"
    if found.st_uid != os.geteuid():
        raise _belongs_to(path, found.st_uid)
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 and not _shared(path, mode):
        mends = OWN_FOLDER if wanted == "700" and is_strange(path) else f"chmod {wanted} {typed(path)}"
        raise Unsafe(f"{path} is open to other users (mode {mode:04o})", mends)


def _closed(folder: Path) -> Unsafe:
    """A folder in which nothing can be looked at."""
    try:
        owner = folder.stat().st_uid
    except OSError:
        return Unsafe(f"can't look into {folder}", "set DURUN_HOME to a folder of your own")
    if owner == os.geteuid():
        return Unsafe(f"can't look into {folder}", f"chmod u+rwx {typed(folder)}")
    return _belongs_to(folder, owner)


def _belongs_to(path: Path, owner: int) -> Unsafe:
    return Unsafe(f"{path} belongs to another user (uid {owner})", "set DURUN_HOME to a folder of your own")


def _shared(folder: Path, mode: int) -> bool:
    """Whether a group may pass through a folder, and do nothing else, to what its owner shares in there."""
    return mode & 0o077 == stat.S_IXGRP and (folder / "approvals").is_dir()


def mounted(device: str, mountinfo: str) -> str | None:
    """The type of the file system with this `major:minor`, in text as of /proc/self/mountinfo (proc(5))."""
    for line in mountinfo.splitlines():
        mount, _, tail = line.partition(" - ")
        if mount.split()[2:3] == [device]:
            return tail.partition(" ")[0]
    return None


def file_system(folder: Path) -> str | None:
    """The type of the file system that a folder is on; None where that can't be told."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # no Linux: nothing to read it from
    device = folder.stat().st_dev
    return mounted(f"{os.major(device)}:{os.minor(device)}", mounts)


def _make(folder: Path) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
        made.chmod(0o700)
        sync_folder(made.parent)


def _require_local(folder: Path) -> None:
    kind = file_system(folder)
    if kind in NETWORK:
        raise Unsafe(f"{folder} is on a network file system ({kind})", "set DURUN_HOME to a folder on a local disk")
