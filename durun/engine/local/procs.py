"""What the machine says about processes: who lives, who began whom, and who carries which nonce.

A pid alone names nothing, for pids are used again; a pid with its start time does. Standard library only:
the supervisor is built on this.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

NONCE = "DURUN_NONCE"
"""The variable that every process of an attempt inherits."""

_LINUX = os.uname().sysname == "Linux"

UNREADABLE = "?"
"""Stands for a nonce that we have no right to read."""


class Process(NamedTuple):
    """One process. `started` only goes forward within one boot; `dead`: ended, but not yet waited for."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    dead: bool


class Table:
    """All processes at one moment; environments are read when they are first asked for."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.processes = {process.pid: process for process in processes}
        self._nonces: dict[int, str] = {}

    def nonce(self, pid: int) -> str:
        """The nonce that the process carries, "" if it carries none, or UNREADABLE."""
        if pid not in self._nonces:
            self._nonces[pid] = _read_nonce(pid)
        return self._nonces[pid]

    def children(self) -> dict[int, list[Process]]:
        """The children of each parent."""
        found: dict[int, list[Process]] = {}
        for process in self.processes.values():
            found.setdefault(process.parent, []).append(process)
        return found


class Origin(NamedTuple):
    """By what the processes of one attempt are known: nonce, and once it is started its main process and its group.

    `session` is the supervisor's: a group lives within one session.
    """

    nonce: str
    session: int
    main: tuple[int, int] | None
    group: int | None


def members(table: Table, origin: Origin, seen: Iterable[tuple[int, int]] = ()) -> list[Process]:
    """Every process that belongs to the attempt, ended ones left out.

    These are its main process, its group, all that carry its nonce, those `seen` before (pid, start), and all
    that descend from any of these. The caller itself never is one.
    """
    known = set(seen)
    children = table.children()
    waiting = [p for p in table.processes.values() if (p.pid, p.started) in known or _is_origin(table, p, origin)]
    found: dict[int, Process] = {}
    while waiting:
        process = waiting.pop()
        if process.pid not in found and process.pid != os.getpid():
            found[process.pid] = process
            waiting.extend(children.get(process.pid, ()))
    return [process for process in found.values() if not process.dead]


def _is_origin(table: Table, process: Process, origin: Origin) -> bool:
    if (process.pid, process.started) == origin.main:
        return True
    nonce = table.nonce(process.pid)
    if nonce == origin.nonce:
        return True
    in_group = process.group == origin.group and process.session == origin.session
    return in_group and nonce in ("", UNREADABLE)


def look(pid: int) -> Process | None:
    """The process of this pid, or None if there is none."""
    if _LINUX:
        return _read_stat(pid)
    return _from_ps(["-p", str(pid)]).get(pid)


def look_around() -> Table:
    """All processes that can be seen now."""
    if _LINUX:
        with os.scandir("/proc") as entries:
            return Table([p for e in entries if e.name.isdigit() and (p := _read_stat(int(e.name)))])
    return Table(_from_ps(["-A"]).values())


def exists(pid: int) -> bool:
    """Whether any process that has not ended has this pid: if it is another one by now, an operator must say so."""
    process = look(pid)
    if process is not None:
        # In many a container nobody waits for those that have ended.
        return not process.dead
    try:
        os.kill(pid, 0)  # it may be hidden from us
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def boot_id() -> str:
    """A word that is another one after each start of the machine."""
    if _LINUX:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    told = subprocess.run(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, check=True)
    return told.stdout.decode().strip()


def pid_namespace() -> str:
    """A word for the space in which our pids mean something.

    The kernel hands a dead namespace's number out again, so the start time of its first process belongs to the word.
    """
    if not _LINUX:
        return "darwin"
    first = look(1)
    return f"{Path('/proc/self/ns/pid').readlink()}@{first.started if first else '-'}"


def control_group(pid: int | str) -> str:
    """The control group of a process, "" where that can't be told."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text().strip()
    except OSError:
        return ""


def _read_stat(pid: int) -> Process | None:
    """Field numbers are those of proc_pid_stat(5); the command's name may hold anything, so count from its end."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, 4096)  # it has some 400 bytes, and every step pays for this
        finally:
            os.close(descriptor)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    # A main thread may have ended before the others: then the process is shown as a zombie and works on.
    dead = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), dead)


def _read_nonce(pid: int) -> str:
    if not _LINUX:
        return UNREADABLE
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return UNREADABLE
    except OSError:
        return ""
    start = (b"\0" + text).find(f"\0{NONCE}=".encode())
    return "" if start < 0 else text[start + len(NONCE) + 1 :].split(b"\0", 1)[0].decode(errors="replace")


def _from_ps(which: list[str]) -> dict[int, Process]:
    told = subprocess.run(
        ["/bin/ps", *which, "-o", "pid=,ppid=,pgid=,stat=,lstart="],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    found = {}
    for line in told.stdout.decode(errors="replace").splitlines():
        pid, parent, group, state, began = line.split(None, 4)
        started = int(time.mktime(time.strptime(began.strip(), "%a %b %d %H:%M:%S %Y")))
        found[int(pid)] = Process(int(pid), int(parent), int(group), _session(int(pid)), started, state[0] == "Z")
    return found


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
