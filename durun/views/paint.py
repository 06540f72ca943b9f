"""Text with colours, in columns that fit into a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from durun.model.status import TaskStatus
from durun.views.text import fit, pad, width_of

STYLES: dict[TaskStatus, str] = {
    "pending": "2",
    "skipped": "2",
    "waiting": "33",
    "running": "36",
    "succeeded": "32",
    "failed": "31",
    "cancelled": "33",
    "in_doubt": "1;35",
    "rolled_back": "2",
}
"""Of each status the colour, as a terminal is told (SGR)."""

DIM = "2"

_WORTH = 16
"""Columns of a text that is cut which still say something."""


class Piece(NamedTuple):
    """Some text in one style; an empty style is the terminal's own."""

    text: str
    style: str = ""


class Row(NamedTuple):
    """A line about a step: its mark, its name, what is told of it (the most telling first), and on the right a time."""

    mark: Piece
    name: Piece
    told: Sequence[Sequence[Piece]]
    right: str = ""


def columns(rows: Sequence[Row], width: int, colour: bool) -> list[str]:
    """The rows one below the other, none wider than `width`. What there is no room for is left out, the last first."""
    names = min(max((width_of(row.name.text) for row in rows), default=0), max(8, width // 3))
    rights = max((len(row.right) for row in rows), default=0)
    room = width - 3 - names
    told = [fitting(row.told, room - (rights + 1 if row.right else 0)) for row in rows]
    middle = max((_width(pieces) for row, pieces in zip(rows, told, strict=True) if row.right), default=0)
    lines = []
    for row, pieces in zip(rows, told, strict=True):
        name = Piece(pad(fit(row.name.text, names), names), row.name.style)
        space = middle - _width(pieces) + 1 + rights - len(row.right)
        right = [Piece(" " * space), Piece(row.right, DIM)] if row.right else []
        lines.append(painted([row.mark, Piece(" "), name, Piece(" "), *pieces, *right], colour))
    return lines


def painted(pieces: Iterable[Piece], colour: bool) -> str:
    """The pieces as one line, with no blanks at its end."""
    line = "".join(f"\x1b[{style}m{text}\x1b[0m" if colour and style and text else text for text, style in pieces)
    return line.rstrip()


def fitting(told: Sequence[Sequence[Piece]], room: int) -> list[Piece]:
    """As many of the parts as there is room for, two blanks apart; one is cut if it is the first, or much is left."""
    kept: list[Piece] = []
    for part in told:
        apart = [Piece("  ")] if kept else []
        left = room - _width(kept) - _width(apart)
        if _width(part) <= left:
            kept += [*apart, *part]
        elif not kept or left >= _WORTH:
            return [*kept, *apart, *_cut(part, left)]
    return kept


def _cut(part: Sequence[Piece], room: int) -> list[Piece]:
    kept: list[Piece] = []
    for text, style in part:
        left = room - _width(kept)
        kept.append(Piece(fit(text, left), style))
        if width_of(text) > left:
            break
    return kept


def _width(pieces: Iterable[Piece]) -> int:
    return sum(width_of(piece.text) for piece in pieces)
