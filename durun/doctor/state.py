"""The state directory and the journal."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from durun.doctor.here import Here
from durun.errors import StorageFailed, Unsafe, typed
from durun.journal.connect import Unfinished
from durun.journal.health import look
from durun.journal.place import MEMORY, file_system, is_strange, require_safe
from durun.model.check import Check
from durun.sharing.places import shared

_OURS = frozenset(
    {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal", "journal.lock", "runs", "errors"}
    | {"fingerprint.key", "keyring.json", "seal.json", "seal.key", "sign.json", "sign.key", "sealing", "notices"}
    | {"stamps", "requests", "approvals"}
)
"""What durun puts into its state directory. Whatever else somebody keeps there is theirs, and so is its mode."""

_ROOM = 100 * 2**20
_FILES = 1000
"""Bytes and files; a run of a few steps needs some 100 kB, and a handful of files for each attempt."""


def directory(here: Here) -> Check:
    """Its owner's alone, writable, on a disk of this machine; or not there yet, and it can be made."""
    home = here.config.home
    if home.exists():
        require_safe(here.config.journal_path)
        if (odd := _odd(home)) is not None:
            raise Unsafe(f"{odd} is not what durun made there", f"move it away: mv {typed(odd)} {typed(f'{odd}.odd')}")
        mode = stat.S_IMODE(home.stat().st_mode)
        if (kind := file_system(home)) in MEMORY:
            lost = f"{home} is in memory ({kind}): a restart of the machine takes every run with it"
            return Check("state_directory", "warn", lost, "set DURUN_HOME to a folder on a disk")
        return Check("state_directory", "ok", f"{home} (mode {mode:04o}, on a disk of this machine)")
    above = next(folder for folder in home.parents if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageFailed(f"{home} is not there, and can't be made in {above}", "set DURUN_HOME to a folder of yours")
    return Check("state_directory", "ok", f"{home} is not there yet: the first run makes it")


def room(here: Here) -> Check:
    """There is some left on its disk: where there is none, no step is started."""
    folder = next(folder for folder in (here.config.home, *here.config.home.parents) if folder.exists())
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    told = f"{free / 2**20:,.0f} MiB are free where the state directory is"
    if free < _ROOM:
        return Check("room", "warn", told, "make room there; `durun prune --older-than 90d` removes old runs")
    if found.f_files and found.f_favail < _FILES:
        return Check("room", "warn", f"{told}, and room for {found.f_favail} more files only", "remove files there")
    return Check("room", "ok", told)


def _odd(home: Path) -> Path | None:
    """The first thing in the state directory that is of another kind than it must be."""
    for name, right in (("journal.db", Path.is_file), ("journal.lock", Path.is_file), ("runs", Path.is_dir)):
        path = home / name
        if path.exists() and not right(path):
            return path
    return None


def permissions(here: Here) -> Check:
    """What is in the state directory is its owner's alone, but what is shared on purpose."""
    found = too_open(here)
    if not found:
        return Check("permissions", "ok", "what durun keeps there is yours alone")
    names = ", ".join(path.name for path, _ in found[:5])
    message = f"others may read {names}{f' and {len(found) - 5} more' if len(found) > 5 else ''}"
    return Check("permissions", "fail", message, "durun doctor --fix", Unsafe.exit_code)


def too_open(here: Here) -> list[tuple[Path, int]]:
    """What of yours in the state directory others can get at, and the mode that it should have."""
    home = here.config.home
    if not home.is_dir() or is_strange(home):
        return []
    on_purpose = shared(home)
    kept = set() if on_purpose is None else set(on_purpose.modes)
    found = []
    for path in (home, *sorted(path for path in home.iterdir() if path.name in _OURS)):
        status = path.lstat()
        if path in kept or stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid():
            continue
        if stat.S_IMODE(status.st_mode) & 0o077:
            found.append((path, 0o700 if stat.S_ISDIR(status.st_mode) else 0o600))
    return found


def too_closed(here: Here) -> Iterator[tuple[Path, int]]:
    """What of yours you have shut yourself out of, and the mode that it should have: the folder first."""
    journal = here.config.journal_path
    if is_strange(here.config.home):
        return
    for path, wanted in ((here.config.home, 0o700), (journal, 0o600), (journal.with_name("journal.lock"), 0o600)):
        try:
            status = path.lstat()
        except OSError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode) and mode & wanted != wanted:
            yield path, mode | wanted


def journal(here: Here) -> Check:
    """It opens, and SQLite finds its structure whole."""
    path = here.config.journal_path
    try:
        health = look(path)
    except Unfinished as cut_short:
        return Check(
            "journal",
            "warn",
            cut_short.message,
            "durun doctor --fix; or the next `durun run` or `durun resume` does it",
        )
    if health is None:
        return Check("journal", "ok", "there is none yet: the first run makes it")
    held = f"runs: {health.runs}, events: {health.events}"
    told = f"{path} is whole, {held} (SQLite {health.sqlite}, mode {health.mode})"
    if health.mode != "WAL":
        slow = f"{told}: so whoever reads and whoever writes wait for each other"
        return Check(
            "journal", "warn", slow, "durun doctor --fix; where that changes nothing, the disk can't do better"
        )
    return Check("journal", "ok", told)
