"""A clock that knows what has passed for a run since its clock was last read, though the wall clock was set back.

Between two sessions of a run no process stays that could count. But until the machine restarts, its own count of
seconds goes on: so each run's folder has a file that says at which time that count began.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from durun.model.clock import SystemClock

_SLACK = 1.0
"""Seconds by which the wall clock must have been set forward before they are written down."""


class LocalClock(SystemClock):
    """The machine's clock, with a file in each run's folder."""

    def __init__(self, run_folder: Callable[[str], Path]) -> None:
        self._run_folder = run_folder
        self._began: dict[str, float] = {}

    def least(self, run_id: str) -> float:
        """The time that `saw` was told of the run last, and what has passed since; 0 if the machine restarted."""
        try:
            said = self._file(run_id).read_bytes().split()
            # What is half written, or of another start of the machine, is as good as nothing.
            return float(said[1]) + _uptime() if len(said) == 2 and said[0] == _place() else 0.0
        except (OSError, ValueError):
            return 0.0

    def saw(self, run_id: str, now: float) -> None:
        """Remember that it is `now` for the run. Nothing is synced: after a power cut it would mean nothing."""
        began = now - _uptime()
        known = self._began.get(run_id)
        if known is not None and began <= known + _SLACK:
            return
        self._began[run_id] = began
        try:
            descriptor = os.open(self._file(run_id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, b"%s %.3f\n" % (_place(), began))
            finally:
                os.close(descriptor)
        except OSError:
            return  # without it, time stands still until the wall clock has caught up

    def _file(self, run_id: str) -> Path:
        return self._run_folder(run_id) / "clock"


def _uptime() -> float:
    """Seconds since the machine was started, also those that it slept, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _place() -> bytes:
    """A word for this start of the machine, and for the space in which its seconds are counted."""
    from durun.engine.local.procs import boot_id

    try:
        counted = os.readlink("/proc/self/ns/time")  # noqa: PTH115  (no Path is needed)
    except OSError:
        counted = "-"
    return f"{boot_id()}/{counted}".encode()
