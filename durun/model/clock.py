"""The only place that reads the wall clock, so that a test can be any day.

Times are seconds since the epoch (UTC) inside, and ISO 8601 with `Z` in files and JSON.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

_FIRST = datetime(2, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """The wall time: seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that only go forward; the zero means nothing."""

    def least(self, run_id: str) -> float:
        """What the wall time is at least, by what has passed since `saw` of the run; 0 if that is not known."""

    def saw(self, run_id: str, now: float) -> None:
        """Remember for `least`, if that can be, that it is `now` for the run."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """The wall time: seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only go forward, without time spent suspended."""
        return time.monotonic()

    def least(self, run_id: str) -> float:  # noqa: ARG002
        """Not known: nothing was remembered."""
        return 0.0

    def saw(self, run_id: str, now: float) -> None:
        """Remembers nothing."""


def to_iso(seconds: float) -> str:
    """`2026-01-31T09:15:00.123Z` for seconds since the epoch."""
    whole = int(seconds // 1)
    millis = int((seconds - whole) * 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def from_moment(text: str) -> float:
    """Seconds since the epoch of a time that a person wrote. ValueError, with a message for people, for no such."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a time is written as 2026-01-31T09:15:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"a time says of which zone it is: write {text}Z for UTC, or its offset, such as +01:00")
    return moment.timestamp()


def moment_to_wait_for(text: str) -> float:
    """The same, of a time that can be shown everywhere. ValueError: in some zone, its year may be none."""
    seconds = from_moment(text)
    if not _FIRST <= seconds < _LAST:
        raise ValueError("a time is of a year from 2 to 9998")
    return seconds


def from_iso(text: str) -> float:
    """Seconds since the epoch of a time that `to_iso` wrote."""
    return datetime.fromisoformat(text).timestamp()
