"""Problems in a runbook, and how they are shown: the place, the line itself, a caret, and what to write instead.

A checker knows where in the *document* a problem is (`("steps", 2, "env", "X")`), not where in the text;
`durun.language.source` maps the one to the other, so a checker needs no line numbers.

What is shown comes from a file that may be hostile: escapes, bidirectional controls and endless lines are
made harmless here, and only here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from durun.errors import meant

Path = tuple[str | int, ...]

WIDTH = 68
"""How many columns of a source line are shown around the caret: with the number before it, a line of a terminal."""

_TAB = "    "
_LONGEST_MESSAGE = 500


class Problem(NamedTuple):
    """One thing that is wrong, and where in the document.

    `path` leads to the value (keys and list indexes). `needle` is a part of that scalar to point the
    caret at, or `offset` a character in it; a path that ends at a mapping or list points at its key, and
    so does every path with `at_key`. `hint` may have several lines.
    """

    message: str
    path: Path
    hint: str = ""
    needle: str = ""
    offset: int = -1
    at_key: bool = False


class Place(NamedTuple):
    """Where in the text: line and column from 1, in characters, and how many of them the caret underlines."""

    line: int
    column: int
    length: int = 1


class Diagnostic(NamedTuple):
    """A problem with its place, ready to be shown."""

    place: Place
    message: str
    hint: str = ""


def harmless(text: str) -> str:
    """`text` with everything that could move the cursor or reorder the line shown as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char == "\t":
        return _TAB
    if char.isprintable() or unicodedata.category(char) in ("Zs", "Mn", "Mc"):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _columns(text: str) -> int:
    """How many terminal columns printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def render(diagnostic: Diagnostic, file: str, lines: list[str]) -> str:
    """`file:line:column: message`, the source line with a caret line under it, and the hint."""
    place = diagnostic.place
    head = f"{harmless(file)}:{place.line}:{place.column}: {_cut(harmless(diagnostic.message))}"
    parts = [head]
    if place.line <= len(lines):
        line, before, length = _excerpt(lines[place.line - 1], place)
        gutter = f"{place.line:5} | "
        parts.append(f"{gutter}{line}".rstrip())
        parts.append(f"{' ' * (len(gutter) - 2)}| {' ' * before}{'^' * length}")
    if diagnostic.hint:
        first, *rest = (harmless(text) for text in diagnostic.hint.split("\n"))
        parts.append(f"  hint: {first}")
        parts.extend(f"        {text}".rstrip() for text in rest)
    return "\n".join(parts)


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + " …"


def _excerpt(line: str, place: Place) -> tuple[str, int, int]:
    """What is shown of a line, how many columns stand before the caret, and how many it underlines."""
    at = min(place.column - 1, len(line))
    start = max(0, at - WIDTH // 2) if len(line) > WIDTH else 0
    end = start + WIDTH
    lead, tail = "… " if start else "", " …" if end < len(line) else ""
    before = lead + harmless(line[start:at])
    under = harmless(line[at : min(end, at + max(1, place.length))])
    after = harmless(line[at + max(1, place.length) : end]) if at + place.length < end else ""
    return before + under + after + tail, _columns(before), max(1, _columns(under))


def render_all(diagnostics: Iterable[Diagnostic], file: str, text: str) -> str:
    """Every problem once, ordered by place, an empty line between them."""
    lines = split_lines(text)
    ordered = sorted(set(diagnostics), key=lambda found: (found.place.line, found.place.column, found.message))
    return "\n\n".join(render(diagnostic, file, lines) for diagnostic in ordered)


def split_lines(text: str) -> list[str]:
    """The lines as YAML counts them (str.splitlines would break at form feeds and more)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def did_you_mean(word: str, permitted: Iterable[str]) -> str:
    """`did you mean `x`?`, or an empty string when nothing is near."""
    if len(word) > 100:
        return ""
    names = {name.lower(): name for name in permitted}
    from difflib import get_close_matches  # only for mistakes: every start would pay for it

    near = get_close_matches(word.lower().replace("-", "_"), list(names), n=1, cutoff=0.6)
    return meant(names[name] for name in near)
