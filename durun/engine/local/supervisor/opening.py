"""Taking charge of a run: the lock by which others see that its supervisor lives, and what every gate says."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from durun.engine.local.folder import STOP, lock_path
from durun.engine.local.procs import boot_id, control_group, look, pid_namespace
from durun.engine.local.records import Gate
from durun.engine.local.scope import enter_scope
from durun.engine.local.supervisor.ahead import Ahead
from durun.engine.local.supervisor.spares import Spares


class CannotOpen(Exception):
    """The run's folder can't be worked in; the text says why."""


class Opening(NamedTuple):
    """A run that this supervisor is in charge of. `stale` is a stop file that was there before, `ahead` has the folders
    of attempts, `spares` are for evidence."""

    run_folder: Path
    session: int
    lock: int
    started: int
    pid_namespace: str
    boot_id: str
    scope: bool
    stale: tuple[int, int] | None
    ahead: Ahead
    spares: Spares

    def gate(self, nonce: str) -> Gate:
        """The gate of an attempt that we may start."""
        return Gate(
            nonce=nonce,
            fence=False,
            session=self.session,
            pid=os.getpid(),
            started=self.started,
            pid_namespace=self.pid_namespace,
            boot_id=self.boot_id,
            at=time.time(),
        )

    def stop_asked(self) -> bool:
        """Whether somebody asked, since we opened the run, that what runs be stopped."""
        return _stop_file(self.run_folder) not in (None, self.stale)


def open_run(run_folder: Path, session: int) -> Opening:
    """Take the session's lock, for as long as this process lives. Raises CannotOpen."""
    sys.stderr = _Complaints(run_folder / f"supervisor-{session}.err")
    scope = enter_scope(f"durun-{run_folder.name}-{session}")
    me = look(os.getpid())
    started = me.started if me else 0
    try:
        lock = os.open(lock_path(run_folder, session), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Whoever looks whether we live holds it for a moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        about = {"pid": os.getpid(), "started": started, "cgroup": control_group("self")}
        os.pwrite(lock, json.dumps(about).encode(), 0)
    except OSError as error:
        raise CannotOpen(f"{run_folder}: {error.strerror}") from error
    stale, ahead, spares = _stop_file(run_folder), Ahead(run_folder), Spares(run_folder, session)
    return Opening(run_folder, session, lock, started, pid_namespace(), boot_id(), scope, stale, ahead, spares)


def _stop_file(run_folder: Path) -> tuple[int, int] | None:
    try:
        status = (run_folder / STOP).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class _Complaints:
    """Stands for stderr: a file that is only made if something is written to it, a traceback or a warning."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> int:
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            return file.write(text)

    def flush(self) -> None:
        """Nothing is held back."""
