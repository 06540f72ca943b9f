"""Has somebody told of a run, or its head stamped, by a process of its own.

Nobody waits for it, and it outlives whoever started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from durun.engine.local.marks import notice_of
from durun.journal.register import Entry

LONGEST = 120.0
"""Seconds that pid 1 waits, for its own end ends everything."""
AUTHORITY = "DURUN_TSA"
"""The environment variable with the URL of the authority that stamps heads; without it none is asked."""


def tell_about(home: Path, run_id: str) -> None:
    """Have told what is still to be told of a run; at once if there is nothing."""
    if notice_of(home, run_id).exists():
        _start("durun.engine.local.notifier", str(home), run_id)


def stamp(home: Path, head: Entry) -> str:
    """Have an entry stamped, if an authority is named. Gives what the operator should know."""
    if not os.environ.get(AUTHORITY):
        return ""
    from durun.stamps.tokens import MISSING, available

    _start("durun.engine.local.stamping", str(home / "stamps"), head.run, head.body)
    return "" if available() else f"the head gets no timestamp: {MISSING}"


def _start(module: str, *words: str) -> None:
    with suppress(OSError):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
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
