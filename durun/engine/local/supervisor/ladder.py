"""Stopping an attempt: INT, TERM, KILL, with a grace between, until nothing of it is left.

A step may have moved children into groups and sessions of their own; they are found by nonce and by descent, again
and again, for they may go on to fork while they are being killed.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal

from durun.engine.local.procs import Origin, Process, Table, look, members

_RUNGS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

TICK = 0.05
"""How often to look again, seconds."""

LAST_GRACE = 2.0
"""How long a killed process may take to go, seconds. One that takes longer can't be killed by us."""


class Ladder:
    """One attempt being stopped."""

    def __init__(self, origin: Origin, grace: float) -> None:
        self._origin = origin
        self._grace = grace
        self._rung = -1
        self._next = -math.inf
        self._seen: set[tuple[int, int]] = set()
        self._told: set[tuple[int, int]] = set()
        self.leftover: tuple[int, ...] = ()

    def climb(self, table: Table, now: float) -> bool:
        """Send what is due to all that is left; True once nothing is, or all was done in vain (`leftover`)."""
        found = members(table, self._origin, self._seen)
        self._seen = {(process.pid, process.started) for process in found}
        if not found:
            return True
        if now >= self._next:
            if self._rung == len(_RUNGS) - 1:
                self.leftover = tuple(sorted(process.pid for process in found))
                return True
            self._rung += 1
            self._told.clear()
            self._next = now + (LAST_GRACE if _RUNGS[self._rung] == signal.SIGKILL else self._grace)
            self._tell_group(found)
        for process in found:
            self._tell(process)
        return False

    def _tell_group(self, found: list[Process]) -> None:
        """Signal the group at one blow, so that no member forks away in between.

        While a member lives, the kernel does not give the group's number to anybody else.
        """
        origin = self._origin
        inside = [p for p in found if p.group == origin.group and p.session == origin.session]
        if inside and origin.group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(origin.group, _RUNGS[self._rung])
                self._told.update((process.pid, process.started) for process in inside)

    def _tell(self, process: Process) -> None:
        """Signal one process, once a rung; KILL again at each look."""
        rung = _RUNGS[self._rung]
        if (process.pid, process.started) in self._told and rung != signal.SIGKILL:
            return
        self._told.add((process.pid, process.started))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _signal_exactly(process, rung)


def _signal_exactly(process: Process, number: signal.Signals) -> None:
    """Signal this process and no later one of the same pid, where the kernel lets us."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        if _is_same(process):
            os.kill(process.pid, number)
        return
    try:
        if _is_same(process):
            signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def _is_same(process: Process) -> bool:
    now = look(process.pid)
    return now is not None and now.started == process.started
