"""From a place in the document to a place in the text."""

from __future__ import annotations

from durun.language.diagnostics import Diagnostic, Path, Place, Problem
from durun.language.source import Node

_COLLECTED = ("run", "http")
_INHERITED = frozenset({"timeout", "retry", "shell", "on_in_doubt"})
_ESCAPES = {"x": 4, "u": 6, "U": 10}


class Locator:
    """Places in one document."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._root = root

    def diagnostic(self, problem: Problem) -> Diagnostic:
        """The problem with its place."""
        return Diagnostic(self.place(problem), problem.message, problem.hint)

    def line(self, path: Path) -> int:
        """The line, from 1, where a path stands, or the nearest thing around it."""
        return self.place(Problem("", path, at_key=True)).line

    def place(self, problem: Problem) -> Place:
        """Where to point: into a scalar, at it, or at the key of what is larger."""
        path = next((path for path in _candidates(problem.path) if self._reached(path) == len(path)), problem.path)
        exact = self._reached(path) == len(path)
        key, node = self._find(path[: self._reached(path)])
        if not node.is_scalar or problem.at_key or not exact or node.start == node.end:
            return _of_key(key, node)
        if self._text[node.start : node.start + 1] == "*" or not isinstance(node.value, str):
            return node.place()
        offset = node.value.find(problem.needle) if problem.needle else problem.offset
        if offset < 0:
            return node.place()
        return self._inside(node, offset, len(problem.needle) or 1)

    def comment_follows(self, path: Path) -> bool:
        """Whether a plain scalar stands there and a comment behind it: perhaps its rest."""
        if self._reached(path) < len(path):
            return False
        _, node = self._find(path)
        behind = self._text[node.end : self._text.find("\n", node.end) % (len(self._text) + 1)]
        return node.is_scalar and not node.style and behind.lstrip(" ").startswith("#")

    def _reached(self, path: Path) -> int:
        """How many parts of the path are in the document."""
        node = self._root
        for count, part in enumerate(path):
            following = _child(node, part)
            if following is None:
                return count
            node = following
        return len(path)

    def _find(self, path: Path) -> tuple[Node | None, Node]:
        """What a path leads to, and its key (None for an item of a list)."""
        key, node = None, self._root
        for part in path:
            key = node.keys.get(part) if isinstance(part, str) else None
            following = _child(node, part)
            assert following is not None
            node = following
        return key, node

    def _inside(self, node: Node, offset: int, length: int) -> Place:
        index = _source_index(self._text, node, offset)
        start = self._text.rfind("\n", 0, index) + 1
        return Place(node.line + self._text.count("\n", node.start, index), index - start + 1, length)


def _candidates(path: Path) -> list[Path]:
    """Where a value may have come from.

    A verify or rollback has its step's env, a step the runbook's defaults; and what is collected stands one deeper.
    """
    found = [path]
    for index, part in enumerate(path):
        if part in _COLLECTED and path[:index].count("verify") == 0:
            found.append((*path[:index], "collect", *path[index:]))
            break
    for own in ("verify", "rollback"):
        found += [tuple(part for part in one if part != own) for one in found if own in one]
    for index, part in enumerate(path):
        if part in _INHERITED and path[0] in ("steps", "finally"):
            found.append(("defaults", *path[index:]))
            break
    return found


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(part, str):
        return node.entries.get(part) if node.entries is not None else None
    if node.items is None:
        return None
    return node.items[part] if 0 <= part < len(node.items) else None


def _of_key(key: Node | None, node: Node) -> Place:
    if key is not None:
        return key.place()
    if node.entries:
        first = next(iter(node.keys.values()))
        return Place(node.line, node.column, first.end - first.start if first.start == node.start else 1)
    return node.place() if node.is_scalar else Place(node.line, node.column)


def _source_index(text: str, node: Node, offset: int) -> int:
    """Where in the text a character of a scalar's value stands, past quotes, escapes, indents and folds."""
    index = node.start + (1 if node.style in ("'", '"') else 0)
    if node.style in ("|", ">"):
        index = text.find("\n", index) + 1
    for char in node.value[:offset]:
        index = _skip(text, node, index, char)
        index += _width(text, node.style, index)
    return _skip(text, node, index, node.value[offset : offset + 1])


def _skip(text: str, node: Node, index: int, char: str) -> int:
    """Past the white space that stands before `char` only in the source."""
    while index < node.end and text[index] != char and text[index] in " \n\t":
        index += 1
    return index


def _width(text: str, style: str, index: int) -> int:
    """How many characters of the source are one of the value."""
    if style == '"' and text[index : index + 1] == "\\":
        return _ESCAPES.get(text[index + 1 : index + 2], 2)
    return 2 if style == "'" and text.startswith("''", index) else 1
