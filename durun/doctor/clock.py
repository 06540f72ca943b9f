"""The clock, by which deadlines are kept and the record tells when."""

from __future__ import annotations

import ctypes

from durun.doctor.here import Here
from durun.journal.glance import glance
from durun.model.check import Check
from durun.model.clock import SystemClock, to_iso

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""
_TOLERATED = 5.0


def clock(here: Here) -> Check:
    """It does not stand before what the journal has recorded, and something keeps it right."""
    now = SystemClock().now()
    newest = _newest(here)
    if newest is not None and newest > now + _TOLERATED:
        message = f"it says {to_iso(now)}, and the journal has a run of {to_iso(newest)}"
        return Check("clock", "warn", message, "set it: waits and time limits go by it")
    if _unsynchronised():
        hint = "run chrony, systemd-timesyncd or another NTP client, where the times in the record matter"
        return Check("clock", "warn", f"it says {to_iso(now)}; the kernel says that nothing keeps it right", hint)
    return Check("clock", "ok", f"it says {to_iso(now)}, and is kept right")


def _newest(here: Here) -> float | None:
    """When the newest run was started, as far as a glance tells, which changes nothing."""
    return max((float(at) for (at,) in glance(str(here.config.home), "newest")), default=None)


def _unsynchronised() -> bool:
    """What the kernel says; False where it can't be asked."""
    ask = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if ask is None:
        return False
    answer = ctypes.create_string_buffer(512)  # struct timex, with room; `status` is its fifth field, after four longs
    if ask(answer) < 0:
        return False
    word = ctypes.sizeof(ctypes.c_long)
    status = int.from_bytes(answer.raw[5 * word : 5 * word + 4], "little")
    return bool(status & _UNSYNCHRONISED)
