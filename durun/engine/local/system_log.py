"""One line to syslog or journald, where such is: a head that is kept there shows when the journal is changed later.

Nothing waits for it, and nothing fails with it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

PLACE = "DURUN_SYSLOG"
"""The environment variable that names another socket than /dev/log; empty: none."""

_USER_NOTICE = 1 * 8 + 5
"""Facility and severity (RFC 3164, 4.1.1)."""


def announce(text: str) -> None:
    """Send the line."""
    place = os.path.expanduser(os.environ.get(PLACE, "/dev/log"))  # noqa: PTH111
    if not place:
        return
    line = f"<{_USER_NOTICE}>durun[{os.getpid()}]: {text}".encode("utf-8", "replace")
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.setblocking(False)
        log.sendto(line, place)
