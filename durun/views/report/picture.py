"""The picture of the steps: boxes in layers, a group around what is in it, a curve from what comes before.

Only geometry: the template draws it. `needs` names siblings, so a group is laid out by itself, and then is one box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from durun.model.runbook import Step

_WIDTH, _HEIGHT = 190, 46
_BESIDE, _BELOW, _INSIDE, _TITLE = 24, 34, 14, 24
_LETTERS = 24


class Box(NamedTuple):
    """A step, or a group around others."""

    name: str
    status: str
    text: str
    x: float
    y: float
    width: float
    height: float
    group: bool


class Edge(NamedTuple):
    """A curve from the lower edge of one box to the upper edge of another: its four points, x before y."""

    points: tuple[float, ...]


class Picture(NamedTuple):
    """The whole drawing; groups come before what is in them."""

    width: float
    height: float
    boxes: list[Box]
    edges: list[Edge]


Looks = Callable[[Step], tuple[str, str]]
"""The status of a step, and what is said of it in a few words."""


def draw(steps: Sequence[Step], final: Sequence[Step], looks: Looks) -> Picture:
    """The steps; `finally` is a group below them."""
    above = _lay_out(steps, looks)
    if not final:
        return above
    below = _lay_out(final, looks)
    width = max(above.width, below.width + 2 * _INSIDE)
    moved = _moved(above, (width - above.width) / 2, 0)
    top = above.height + _BELOW
    box = Box("finally", "", "", (width - below.width) / 2 - _INSIDE, top, below.width + 2 * _INSIDE, 0, True)
    box = box._replace(height=below.height + _TITLE + _INSIDE)
    inner = _moved(below, (width - below.width) / 2, top + _TITLE)
    boxes = [*moved.boxes, box, *inner.boxes]
    return Picture(width, top + box.height, boxes, [*moved.edges, *inner.edges])


def shortened(name: str) -> str:
    """A name that fits into a box."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _lay_out(steps: Sequence[Step], looks: Looks) -> Picture:
    drawn = {step.id: _one(step, looks) for step in steps}
    rows = _layers(steps)
    widths = [sum(drawn[name].width for name in row) + _BESIDE * (len(row) - 1) for row in rows]
    width = max(widths, default=0.0)
    boxes: list[Box] = []
    edges: list[Edge] = []
    places: dict[str, Box] = {}
    y = 0.0
    for row, taken in zip(rows, widths, strict=True):
        x = (width - taken) / 2
        for name in row:
            part = _moved(drawn[name], x, y)
            places[name] = part.boxes[0]
            boxes += part.boxes
            edges += part.edges
            x += part.width + _BESIDE
        y += max(drawn[name].height for name in row) + _BELOW
    for step in steps:
        edges += [_edge(places[need], places[step.id]) for need in step.needs if need in places]
    return Picture(width, max(0.0, y - _BELOW), boxes, edges)


def _one(step: Step, looks: Looks) -> Picture:
    status, text = looks(step)
    if not step.steps:
        return Picture(_WIDTH, _HEIGHT, [Box(step.id, status, text, 0, 0, _WIDTH, _HEIGHT, False)], [])
    inner = _moved(_lay_out(step.steps, looks), _INSIDE, _TITLE + 8)
    width, height = max(inner.width + 2 * _INSIDE, _WIDTH), inner.height + _TITLE + 8 + _INSIDE
    around = Box(step.id, status, text, 0, 0, width, height, True)
    return Picture(width, height, [around, *inner.boxes], inner.edges)


def _layers(steps: Sequence[Step]) -> list[list[str]]:
    """Each step one below the lowest that it needs."""
    depth = {step.id: 0 for step in steps}
    changed = True
    while changed:
        changed = False
        for step in steps:
            below = max((depth[need] + 1 for need in step.needs if need in depth), default=0)
            changed = changed or below != depth[step.id]
            depth[step.id] = below
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in steps:
        rows[depth[step.id]].append(step.id)
    return [row for row in rows if row]


def _moved(picture: Picture, x: float, y: float) -> Picture:
    boxes = [box._replace(x=box.x + x, y=box.y + y) for box in picture.boxes]
    shift = (x, y) * 4
    edges = [Edge(tuple(point + by for point, by in zip(edge.points, shift, strict=True))) for edge in picture.edges]
    return picture._replace(boxes=boxes, edges=edges)


def _edge(one: Box, other: Box) -> Edge:
    x1, y1 = one.x + one.width / 2, one.y + one.height
    x2, y2 = other.x + other.width / 2, other.y
    bend = (y2 - y1) / 2
    return Edge((x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2))
