"""The two folders that other users may reach. All else in the state directory stays its owner's alone.

`requests/` holds what is asked: the group may read it. `approvals/` holds the answers: everybody of the group may
put a file there, and nobody but its author and the owner of the folder can remove it (the sticky bit). The state
directory itself may only be passed through, by those who know a name.
"""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path
from typing import NamedTuple

from durun.errors import StorageFailed, Unsafe, UsageError, typed

HOME_MODE, REQUESTS_MODE, APPROVALS_MODE = 0o710, 0o2750, 0o3770
"""The modes of the state directory and of both folders, once they are shared."""


class Shared(NamedTuple):
    """The shared folders of a state directory. Nothing is made or looked at."""

    home: Path

    @property
    def requests(self) -> Path:
        """Where the owner says what is asked."""
        return self.home / "requests"

    @property
    def approvals(self) -> Path:
        """Where others say what they decided."""
        return self.home / "approvals"

    @property
    def modes(self) -> dict[Path, int]:
        """Every folder with the mode that it must have, the outermost last, so that nothing is open too early."""
        return {self.requests: REQUESTS_MODE, self.approvals: APPROVALS_MODE, self.home: HOME_MODE}


def shared(home: Path) -> Shared | None:
    """The folders, if they are there."""
    folders = Shared(home)
    return folders if folders.approvals.is_dir() and folders.requests.is_dir() else None


def share(home: Path, group: str) -> Shared:
    """Make both folders, or open them to this group instead of another one.

    Raises UsageError (no such group), Unsafe (not a group of the caller's), StorageFailed.
    """
    folders, gid = Shared(home), _group_id(group)
    try:
        for folder, mode in folders.modes.items():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(folder, -1, gid)
            folder.chmod(mode)
    except PermissionError:
        raise Unsafe(
            f"{home} can't be given to group {group}", f"ask for: adduser {os.geteuid()} {group}, then log in again"
        ) from None
    except OSError as error:
        raise StorageFailed(f"can't share {home}: {error.strerror}", "see to the disk, then try again") from error
    require_shared(folders)
    return folders


def require_shared(folders: Shared) -> str:
    """Refuse folders that are open to more than their group, or to others than the owner of the state directory.

    Returns the group's name. Raises Unsafe with the command that mends it.
    """
    home = folders.home.stat()
    for folder, mode in folders.modes.items():
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != home.st_uid:
            raise Unsafe(f"{folder} is not a folder of the owner of {folders.home}", f"remove {folder}, share again")
        if stat.S_IMODE(found.st_mode) != mode:
            raise Unsafe(
                f"{folder} has mode {stat.S_IMODE(found.st_mode):04o} and must have {mode:04o} to be shared",
                f"chmod {mode:04o} {typed(folder)}",
            )
        if found.st_gid != home.st_gid:
            name = group_name(home.st_gid)
            raise Unsafe(
                f"{folder} belongs to another group than {folders.home}", f"chgrp {typed(name)} {typed(folder)}"
            )
    return group_name(home.st_gid)


def group_name(gid: int) -> str:
    """The group's name, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {group}", "addgroup makes one; `getent group` lists them") from None
