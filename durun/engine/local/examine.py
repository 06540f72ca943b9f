"""What became of an attempt that an earlier session left open. Used by a resume, which holds the run's lock.

Every answer but `Unknown` is proved. What can't be read is unknown, not gone.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from durun.engine.local.folder import lock_path, make_folder, make_gate, read_gate, sync_results
from durun.engine.local.names import attempt_folder
from durun.engine.local.place import Whereabouts
from durun.engine.local.procs import UNREADABLE, Origin, Process, Table, boot_id, control_group, look_around, members
from durun.engine.local.procs import pid_namespace as our_pid_namespace
from durun.engine.local.records import ExitRecord, Gate, MainProcess, Records
from durun.errors import StorageFailed


class Alive(NamedTuple):
    """Its supervisor lives: wait for it, and look again."""

    supervisor_pid: int


class Recorded(NamedTuple):
    """It ended like this, and all that the record names is durable."""

    record: ExitRecord


class NeverBegan(NamedTuple):
    """It was not started and never will be: a fence stands before it."""

    reason: str


class Orphaned(NamedTuple):
    """Processes of it live without their supervisor. `main`: the step itself is among them, not only what it left."""

    pids: tuple[int, ...]
    main: bool
    reason: str


class Unknown(NamedTuple):
    """Nobody can tell how it ended. `gone`: no process of it is left, so a verify may be asked."""

    reason: str
    gone: bool


_TRANSITION = 2.0
"""Seconds for which a process may be between its start and its environment, on a very busy machine."""

Finding: TypeAlias = Alive | Recorded | NeverBegan | Orphaned | Unknown


def examine(run_folder: Path, folder: int, nonce: str, session: int, then: Whereabouts, now: Whereabouts) -> Finding:
    """What became of the attempt in this folder, whose intent was committed at the place `then`.

    Fences it if that proves that it never began. Raises StorageFailed if the folder can't be read or written.
    """
    try:
        return _examine(run_folder, folder, nonce, session, then, now)
    except OSError as error:
        raise StorageFailed(
            f"the attempt's folder {attempt_folder(run_folder, folder)} can't be used: {error.strerror}",
            "nothing was started; mend the disk, then resume",
        ) from error


def fence(run_folder: Path, folder: int, nonce: str) -> bool:
    """Make sure that the attempt is never started; True if it can't be, False if it was (its gate is there).

    Raises OSError.
    """
    place = attempt_folder(run_folder, folder)
    make_folder(place)
    never = Gate(nonce, True, 0, os.getpid(), 0, our_pid_namespace(), boot_id(), time.time())
    descriptor = make_gate(place, never)
    if descriptor is not None:
        os.close(descriptor)
        return True
    said = read_gate(place)
    return said is not None and said.gate is not None and said.gate.fence and said.gate.nonce == nonce


def _examine(run_folder: Path, folder: int, nonce: str, session: int, then: Whereabouts, now: Whereabouts) -> Finding:
    place = attempt_folder(run_folder, folder)
    # In this order: a supervisor that ends between the two looks has written its record by then.
    alive = supervisor_pid(run_folder, session)
    said = read_gate(place)
    if said is None:
        # The folder of all attempts is made before the run is recorded: where it is missing, gates may be, too.
        kept = place.parent.is_dir()
        if kept and (then.boot_id, then.pid_namespace, then.mount_id) == (now.boot_id, now.pid_namespace, now.mount_id):
            if fence(run_folder, folder, nonce):
                return NeverBegan("its supervisor ended before it was started")
            return _examine(run_folder, folder, nonce, session, then, now)
        why = "the state directory was mounted anew" if kept else "the run's folder was removed"
        return Alive(alive) if alive is not None else _without_gate(nonce, then, now, why)
    if said.gate is None or said.gate.nonce != nonce:
        return Alive(alive) if alive is not None else Unknown("its gate is damaged", gone=then.boot_id != now.boot_id)
    if said.gate.fence:
        return NeverBegan("an earlier resume made sure that it is never started")
    return _with_gate(run_folder, place, said, said.gate, alive, now)


def _with_gate(
    run_folder: Path, place: Path, said: Records, gate: Gate, alive: int | None, now: Whereabouts
) -> Finding:
    same_boot = gate.boot_id == now.boot_id
    record = said.exit
    if record is not None and record.nonce == gate.nonce and (record.synced or same_boot):
        if not record.synced:
            sync_results(place, run_folder)
        return Recorded(record)
    if alive is not None:
        return Alive(alive)
    if not same_boot:
        return Unknown("the machine restarted", gone=True)
    if gate.pid_namespace != now.pid_namespace:
        return Unknown("it was started in another pid namespace, whose processes can't be seen from here", gone=False)
    return _search(run_folder, gate, said.process)


def _without_gate(nonce: str, then: Whereabouts, now: Whereabouts, why: str) -> Orphaned | Unknown:
    """No gate, and the place is another one, or was emptied: then that proves nothing."""
    if then.boot_id != now.boot_id:
        return Unknown("the machine restarted", gone=True)
    if then.pid_namespace != now.pid_namespace:
        return Unknown("it was to be started in another pid namespace, whose processes can't be seen from here", False)
    table = look_around()
    found = members(table, Origin(nonce, 0, None, None))
    if found:
        return Orphaned(_pids(found), True, f"{why}; the step still runs")
    hidden = any(table.nonce(pid) == UNREADABLE for pid in table.processes)
    return Unknown(why, gone=not hidden and 1 in table.processes)


def _search(run_folder: Path, gate: Gate, main: MainProcess | None) -> Orphaned | Unknown:
    """Look for what is left of an attempt whose supervisor was killed."""
    origin = Origin(gate.nonce, gate.pid, (main.pid, main.started) if main else None, main.pid if main else None)
    until = time.monotonic() + _TRANSITION
    for look in itertools.count(1):
        table = look_around()
        found = members(table, origin)
        if found:
            # What still works in the step's own group may be doing what the step was to do.
            lives = main is None or any((p.pid, p.started) == origin.main or p.group == main.pid for p in found)
            what = "the step still runs" if lives else "the step ended, processes that it left still run"
            return Orphaned(_pids(found), lives, f"its supervisor was killed; {what}")
        starting = _in_transition(table, gate)
        # At least twice: a process that is just being forked can be missed by one look.
        if look > 1 and not (starting and time.monotonic() < until):
            break
        select.select([], [], [], 0.005 if starting else 0)
    hidden = starting or _may_be_hidden(run_folder, table, gate)
    return Unknown("its supervisor was killed", gone=not hidden)


def _in_transition(table: Table, gate: Gate) -> bool:
    """Whether a process of the supervisor's session carries no nonce at all: it may be one that is being started.

    Between the `exec` and the moment when the kernel shows the new environment, a process shows none.
    """
    return any(
        process.session == gate.pid and process.pid != gate.pid and not process.dead and table.nonce(process.pid) == ""
        for process in table.processes.values()
    )


def _may_be_hidden(run_folder: Path, table: Table, gate: Gate) -> bool:
    """Whether a process that we may not read could be of this attempt.

    It would have been started after the supervisor, and be of its session or still in its control group.
    """
    about = _about_supervisor(run_folder, gate.session)
    group = about.get("cgroup")
    if 1 not in table.processes:
        # Mounted with hidepid: not even their numbers can be seen.
        return True
    for process in table.processes.values():
        if process.dead or process.started < gate.started or table.nonce(process.pid) != UNREADABLE:
            continue
        if process.session == gate.pid or not group or control_group(process.pid) in ("", group):
            return True
    return False


def _pids(found: list[Process]) -> tuple[int, ...]:
    return tuple(sorted(process.pid for process in found))


def supervisor_pid(run_folder: Path, session: int) -> int | None:
    """The pid of the session's supervisor if it lives, else None. Raises OSError if that can't be told."""
    try:
        lock = os.open(lock_path(run_folder, session), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(_about_supervisor(run_folder, session).get("pid", 0))
    finally:
        os.close(lock)
    return None


def _about_supervisor(run_folder: Path, session: int) -> Mapping[str, Any]:
    try:
        about = json.loads(lock_path(run_folder, session).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}
