"""Where the supervisor's process begins: with `python -I -S`, so that it is there before the runner is ready."""

from __future__ import annotations

import ctypes
import os
import signal
import socket

from durun.engine.local.supervisor.loop import Supervisor

_PR_SET_CHILD_SUBREAPER = 36


def main(descriptor: int) -> None:
    """Serve the runner at the other end of this socket."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _become_subreaper()
    os.set_inheritable(descriptor, False)
    Supervisor(socket.socket(fileno=descriptor)).run()


def _become_subreaper() -> None:
    """Orphans of our steps become our children, so that what a step leaves is found by descent (Linux, prctl(2))."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
