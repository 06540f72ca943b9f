"""The timeline of a run: bars of attempts, a row for each step, on an axis whose long idle times are cut short.

Only geometry: the template draws it. Ten thousand targets are as many bars as there are pixels, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from durun.model.event import DecisionRefused, Stamped, TaskDecided, TaskEvent, TaskWaiting, key_of
from durun.model.status import spoken
from durun.model.task import TaskKey, TaskState
from durun.views.text import duration

LEFT, WIDTH, GAP = 190, 760, 34
"""Pixels: of the names, of the bars, of an idle time that is cut short."""
_LANE, _ROW = 9, 22
_LANES = 16
_SHORTEST = 2.0
_TICKS = 6
_BAD = ("failed", "in_doubt", "cancelled")


class Span(NamedTuple):
    """Something that lasted, of a step."""

    step: str
    begin: float
    end: float
    status: str
    title: str


class Bar(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    status: str
    title: str


class Row(NamedTuple):
    """The bars of a step."""

    name: str
    y: float
    height: float
    bars: list[Bar]


class Mark(NamedTuple):
    """A tick of the axis, or (`width`) an idle time that is cut short."""

    x: float
    text: str
    width: float = 0.0


class Timeline(NamedTuple):
    """The whole drawing. `statuses`: what its colours mean, each with its word."""

    width: float
    height: float
    rows: list[Row]
    ticks: list[Mark]
    gaps: list[Mark]
    lasted: str
    statuses: list[tuple[str, str]]


def spans_of(tasks: Iterable[tuple[TaskKey, TaskState]], events: Sequence[Stamped], end: float) -> list[Span]:
    """Attempts and waits. `end` is when what goes on is cut."""
    spans = []
    for key, task in tasks:
        for attempt in task.attempts:
            last = attempt.ended_at or end
            what = f"{key}, attempt {attempt.number}: {spoken(attempt.status)}"
            title = f"{what}, {duration(last - attempt.started_at)}"
            spans.append(Span(key.step, attempt.started_at, last, attempt.status, title))
    return spans + _waits(events, end)


def _waits(events: Sequence[Stamped], end: float) -> list[Span]:
    since: dict[TaskKey, float] = {}
    spans = []
    for _, at, event in events:
        if isinstance(event, TaskWaiting):
            since.setdefault(key_of(event), at)
        elif not isinstance(event, TaskEvent) or isinstance(event, TaskDecided | DecisionRefused):
            continue
        elif key_of(event) in since:
            spans.append(_wait(key_of(event), since.pop(key_of(event)), at))
    return spans + [_wait(key, at, end) for key, at in since.items()]


def _wait(key: TaskKey, begin: float, end: float) -> Span:
    return Span(key.step, begin, end, "waiting", f"{key}: waited, {duration(end - begin)}")


def draw(spans: Sequence[Span]) -> Timeline | None:
    """The drawing; None where nothing lasted."""
    if not spans:
        return None
    axis = _Axis(spans)
    rows: list[Row] = []
    y = 4.0
    for step in dict.fromkeys(span.step for span in sorted(spans, key=lambda span: (span.begin, span.end))):
        lanes = _lanes([span for span in spans if span.step == step], axis)
        height = max(_ROW, len(lanes) * _LANE + 6)
        top = y + (height - len(lanes) * _LANE) / 2
        bars = [bar._replace(y=top + lane * _LANE) for lane, found in enumerate(lanes) for bar in found]
        rows.append(Row(step, y, height, bars))
        y += height
    seen = sorted({span.status for span in spans})
    statuses = [(status, spoken(status)) for status in seen]
    lasted = duration(axis.end - axis.begin)
    return Timeline(LEFT + WIDTH + 40, y + 24, rows, axis.ticks(), axis.gaps(), lasted, statuses)


def _lanes(spans: list[Span], axis: _Axis) -> list[list[Bar]]:
    """So many lanes as there were at once, at most `_LANES`."""
    lanes: list[list[Bar]] = []
    ends: list[float] = []
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        x = axis.x(span.begin)
        bar = Bar(x, 0, max(_SHORTEST, axis.x(span.end) - x), _LANE - 2, span.status, span.title)
        free = next((number for number, end in enumerate(ends) if end <= span.begin), len(lanes))
        if free == len(lanes) and free < _LANES:
            lanes.append([])
            ends.append(span.end)
        free = min(free, len(lanes) - 1)
        lanes[free].append(bar)
        ends[free] = max(ends[free], span.end)
    return [_thinned(lane) for lane in lanes]


def _thinned(lane: list[Bar]) -> list[Bar]:
    """Neighbours that can't be told apart are one bar, which looks like the worse of them."""
    found: list[Bar] = []
    for bar in lane:
        last = found[-1] if found else None
        if last is None or not _merges(last, bar):
            found.append(bar)
            continue
        worse = bar if bar.status in _BAD else last
        title = last.title if last.title.endswith(" …") else f"{worse.title} …"
        width = max(last.x + last.width, bar.x + bar.width) - last.x
        found[-1] = last._replace(width=width, title=title, status=worse.status)
    return found


def _merges(one: Bar, other: Bar) -> bool:
    between = other.x - (one.x + one.width)
    if one.status == other.status:
        return between < 1.0 and min(one.width, other.width) <= _SHORTEST
    return other.x - one.x < 1.0


class _Axis:
    """From time to pixels: busy times in proportion, idle ones that are long cut to `GAP`."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.begin = min(span.begin for span in spans)
        self.end = max(span.end for span in spans)
        busy = _busy([span for span in spans if span.status != "waiting"] or list(spans))
        worked = sum(end - begin for begin, end in busy)
        edges = [(self.begin, self.begin), *busy, (self.end, self.end)]
        idle = [(one[1], other[0]) for one, other in pairwise(edges)]
        self._cut = [(begin, end) for begin, end in idle if end - begin > max(2.0, worked * 0.5)]
        shown = (self.end - self.begin) - sum(end - begin for begin, end in self._cut)
        self._scale = max(1.0, WIDTH - GAP * len(self._cut)) / max(shown, 0.001)

    def x(self, at: float) -> float:
        """Where a time is."""
        cut, inside = 0.0, 0.0
        for begin, end in self._cut:
            if at >= end:
                cut, inside = cut + (end - begin), inside + GAP
            elif at > begin:
                cut, inside = cut + (at - begin), inside + GAP * (at - begin) / (end - begin)
        return round(LEFT + (at - self.begin - cut) * self._scale + inside, 2)

    def gaps(self) -> list[Mark]:
        """The idle times that are cut short."""
        return [Mark(self.x(begin), duration(end - begin), GAP) for begin, end in self._cut]

    def ticks(self) -> list[Mark]:
        """Times since the start, at even places."""
        found = []
        for number in range(_TICKS + 1):
            at = self._at(LEFT + WIDTH * number / _TICKS)
            found.append(Mark(round(LEFT + WIDTH * number / _TICKS, 2), f"+{duration(at - self.begin)}"))
        return found

    def _at(self, x: float) -> float:
        low, high = self.begin, self.end
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.x(middle) < x else (low, middle)
        return high


def _busy(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """When anything was done, without overlaps."""
    found: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda span: span.begin):
        if found and span.begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], span.end))
        else:
            found.append((span.begin, span.end))
    return found
