"""Text with colours, in columns that fit into a terminal. rich has the colours, and knows how wide a text is.

Its tables are not used here: a picture is painted up to five times a second beside a run, and what there is no room for
is left out by what it tells, not by its column.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from durun.model.tuples import NamedTuple
from durun.views.colours import STYLES as NAMES

STYLES = {status: Style.parse(name) for status, name in NAMES.items()}
"""Of each status the style."""

DIM = Style(dim=True)

_WORTH = 16
"""Columns of a text that is cut which still say something."""

_CONSOLE = Console(file=None, force_terminal=True, width=80, legacy_windows=False)
"""What rich asks for names of styles; nothing is written to it."""


class Row(NamedTuple):
    """A line about a step: its mark, its name, what is told of it (the most telling first), and on the right a time."""

    mark: Text
    name: Text
    told: Sequence[Text]
    right: str = ""


def columns(rows: Sequence[Row], width: int, colour: bool) -> list[str]:
    """The rows one below the other, none wider than `width`. What there is no room for is left out, the last first."""
    names = min(max((row.name.cell_len for row in rows), default=0), max(8, width // 3))
    rights = max((cell_len(row.right) for row in rows), default=0)
    room = width - 3 - names
    told = [fitting(row.told, room - (rights + 1 if row.right else 0)) for row in rows]
    middle = max((text.cell_len for row, text in zip(rows, told, strict=True) if row.right), default=0)
    lines = []
    for row, text in zip(rows, told, strict=True):
        space = middle - text.cell_len + 1 + rights - cell_len(row.right)
        right = Text.assemble(" " * space, (row.right, DIM)) if row.right else Text()
        lines.append(painted(Text.assemble(row.mark, " ", _shortened(row.name, names), " ", text, right), colour))
    return lines


def painted(line: Text, colour: bool) -> str:
    """The line as a terminal is told it, with no blanks at its end."""
    line.rstrip()
    if not colour:
        return line.plain
    pieces = ((text, style) for text, style, _ in line.render(_CONSOLE))
    return "".join(style.render(text, color_system=ColorSystem.STANDARD) if style else text for text, style in pieces)


def fitting(told: Sequence[Text], room: int) -> Text:
    """As many of the parts as there is room for, two blanks apart; one is cut if it is the first, or much is left."""
    kept = Text()
    for part in told:
        apart = "  " if kept else ""
        left = room - kept.cell_len - len(apart)
        if part.cell_len <= left:
            kept = Text.assemble(kept, apart, part)
        elif not kept or left >= _WORTH:
            return Text.assemble(kept, apart, _cut(part, left))
    return kept


def _cut(text: Text, room: int) -> Text:
    """A copy that takes no more columns, with an ellipsis where it was longer."""
    text = text.copy()
    text.truncate(max(0, room), overflow="ellipsis")
    return text


def _shortened(name: Text, room: int) -> Text:
    """A name of a step in so many columns: without its middle if need be, for many begin alike, or end alike."""
    if name.cell_len > room:
        name = Text.assemble(name[: room // 2], "…", name[room // 2 + 1 - room :])
    return Text.assemble(name, " " * (room - name.cell_len))
