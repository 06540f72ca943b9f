"""Durations as people write them in a runbook: `500ms`, `30s`, `5m`, `1h30m`, `2d`.

A bare number is refused on purpose: `timeout: 30` is seconds in one tool, minutes in another and
milliseconds in a third.
"""

from __future__ import annotations

import re

PATTERN = (
    r"^(?=[0-9])([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?"
    r"([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?$"
)
"""The same in the JSON Schema of a runbook (ECMA 262 and Python read it alike)."""

LONGEST = 10 * 365 * 86400.0
"""Seconds; longer is a slip of the finger, and would overflow what the kernel takes."""

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LENGTH = 64
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. ValueError, with a message for people, when it isn't a duration."""
    if len(text) > _LENGTH:
        raise ValueError("a duration is as short as 1h30m")
    if text and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"a duration needs a unit: write {text}s for seconds")
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise ValueError("a duration is a number and a unit (ms, s, m, h, d), largest first, such as 30s or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST:
        raise ValueError("a duration is at most 3650d")
    return seconds
