"""Small pieces of text that every view needs: times, durations, harmless output, tables that fit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from durun.model.status import spoken
from durun.model.task import TaskKey
from durun.model.values import Json

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def local_time(seconds: float | None) -> str:
    """`2026-01-31 10:15:00` in the zone of the terminal; empty for None."""
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def clock_time(seconds: float) -> str:
    """`10:15:00` in the zone of the terminal."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M:%S}"


def short_time(seconds: float, now: float) -> str:
    """`10:15` of today, `01-31 10:15` of the last months, `2025-01-31` of before, in the zone of the terminal."""
    day, today = local_time(seconds), local_time(now)
    if day[:10] == today[:10]:
        return day[11:16]
    return day[5:16] if abs(now - seconds) < 300 * 86400 else day[:10]


def duration(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m 05s`, `2h 07m`, `3d 04h`; empty for None."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def harmless(text: str) -> str:
    """`text` with every control character but tab and newline shown instead of obeyed (an escape as `␛`).

    A step's output must not move the cursor, change the title or hide a line of an operator's terminal.
    """
    return _CONTROL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"\\u{number:04x}"


def one_line(text: str) -> str:
    """`text` on one line, harmless."""
    return harmless(" ".join(text.split()))


def some_of(names: Sequence[str], most: int) -> str:
    """`a, b, c and 7 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return one_line(", ".join(names[:most])) + more


def width_of(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)


def fit(text: str, width: int) -> str:
    """`text` cut to `width` columns, with `…` where something is missing."""
    if width_of(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += width_of(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def wrapped(line: str, width: int | None, indent: int | None = None) -> str:
    """A line broken between words so that it fits (None: as it is), what follows set in by `indent` or by four more."""
    if width is None or width_of(line) <= width:
        return line
    from textwrap import wrap

    inner = " " * (len(line) - len(line.lstrip()) + 4 if indent is None else indent)
    return "\n".join(wrap(line, width, subsequent_indent=inner, break_long_words=False, break_on_hyphens=False))


def pad(text: str, width: int) -> str:
    """`text` with spaces up to `width` columns."""
    return text + " " * (width - width_of(text))


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: int | None,
    shrink: int = 0,
    drop: Sequence[int] = (),
    narrowest: int = 12,
) -> str:
    """Columns under headings. With `width`, column `shrink` is cut, then those in `drop` go, until a line fits.

    `narrowest`: the width below which the cut column says so little that another one goes instead.
    """
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(headings))]
    if width is not None:
        _squeeze(widths, width, shrink, drop, narrowest)
    text = []
    for line in lines:
        cells = [pad(fit(cell, widths[column]), widths[column]) for column, cell in enumerate(line) if widths[column]]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text) + "\n"


def _squeeze(widths: list[int], width: int, shrink: int, drop: Sequence[int], narrowest: int) -> None:
    """Make the line fit into `width`; what is needed least goes first, the cut column last."""

    def excess(least: int) -> int:
        shown = [column for column in widths if column]
        spare = max(0, widths[shrink] - least)
        return sum(shown) + 2 * (len(shown) - 1) - width - spare

    for column in drop:
        if excess(narrowest) > 0:
            widths[column] = 0
    over = excess(widths[shrink])
    if over > 0:
        widths[shrink] = max(0, widths[shrink] - over)


def size(count: int) -> str:
    """A number of bytes: `512 B`, `1.5 kB`, `3.2 GB`."""
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def counts_text(counts: Iterable[tuple[str, int]]) -> str:
    """`3 succeeded, 1 failed`: those that are not zero, with the words as an operator says them."""
    return ", ".join(f"{number} {spoken(status)}" for status, number in counts if number)


def task_name(key: TaskKey) -> str:
    """`step` or `step[target]`, harmless."""
    return one_line(str(key))


def value_text(value: Json) -> str:
    """A value as an operator reads it: strings as they are, everything else as JSON."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
