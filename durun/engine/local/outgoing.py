"""Has somebody told of a run, or its head stamped, by a process of its own.

Nobody waits for it, and it outlives whoever started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from durun.config import AUTHORITY, Config
from durun.engine.local.marks import notice_due
from durun.engine.notices import AGAIN
from durun.journal.api import Journal
from durun.journal.register import Entry

LONGEST = 120.0
"""Seconds that pid 1 waits, for its own end ends everything."""
HOUR = 3600.0


def tell_about(home: Path, run_id: str, now: float) -> None:
    """Have told what is to be told of a run by now; at once if there is nothing."""
    if notice_due(home, run_id, now, AGAIN[-1]):
        _start("durun.engine.local.notifier", str(home), run_id)


def stamp(config: Config, head: Entry) -> str:
    """Have an entry stamped, if an authority is named. Gives what the operator should know."""
    if not os.environ.get(AUTHORITY):
        return ""
    from durun.stamps.tokens import MISSING, available

    _ask_for_stamp(config, head)
    return "" if available() else f"the head gets no timestamp: {MISSING}"


def stamp_again(config: Config, journal: Journal, now: float) -> None:
    """Have the newest entry stamped that was to be and is not: it is asked for once an hour."""
    if not os.environ.get(AUTHORITY):
        return
    from durun.stamps.shelf import Shelf

    with suppress(OSError):
        wanting = Shelf(config.stamps_folder).wanting()
        if wanting is not None and not 0 <= now - wanting.asked_at < HOUR:
            for entry in journal.entries(after=wanting.entry - 1)[:1]:
                _ask_for_stamp(config, entry)


def _ask_for_stamp(config: Config, entry: Entry) -> None:
    _start("durun.engine.local.stamping", str(config.stamps_folder), entry.run, entry.body)


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
