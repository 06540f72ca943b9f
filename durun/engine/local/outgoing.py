"""Has somebody told of a run, by a process of its own: nobody waits for it, and it outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from durun.engine.local.marks import notice_of

LONGEST = 120.0
"""Seconds that pid 1 waits, for its own end ends everything."""


def tell_about(home: Path, run_id: str) -> None:
    """Have told what is still to be told of a run; at once if there is nothing."""
    if not notice_of(home, run_id).exists():
        return
    argv = [sys.executable, "-P", "-m", "durun.engine.local.notifier", str(home), run_id]
    with suppress(OSError):
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        if os.getpid() == 1:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST)
        # It is nobody's to wait for: the interpreter must not complain about that.
        process.returncode = 0
