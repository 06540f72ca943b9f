"""YAML text as a tree whose every value knows its place in the text.

The tree is built from parser events in a loop and not by PyYAML's composer, so that the bounds (nesting,
number of values, alias expansion) hold before anything recurses. Scalars follow the YAML 1.2 core schema
(https://yaml.org/spec/1.2.2/#103-core-schema); what JSON can't hold is refused.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple

import yaml

from durun.language.diagnostics import Diagnostic, Place
from durun.language.mistakes import explain
from durun.language.scalars import BadScalar, resolve
from durun.language.text import Unreadable, decode
from durun.model.values import Json

MAX_DEPTH = 32
MAX_VALUES = 50_000
"""How many values a file may hold, those that aliases repeat counted each time."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = (None, "!")
_PROPERTIES = re.compile(r"([&!]\S*\s+)+")


class Node:
    """A value with its place. `start` and `end` are indexes into the text; `value` is plain JSON data.

    `items` are the children of a list, `entries` those of a mapping, with the place of each key. `style` is
    how a scalar is written: plain (empty), `'`, `"`, `|` or `>`.
    """

    __slots__ = ("column", "end", "entries", "height", "items", "keys", "line", "size", "start", "style", "value")

    def __init__(self, start: int, end: int, line: int, column: int, style: str = "") -> None:
        self.start = start
        self.end = end
        self.line = line
        self.column = column
        self.value: Json = None
        self.style = style
        self.items: list[Node] | None = None
        self.entries: dict[str, Node] | None = None
        self.keys: dict[str, Node] = {}
        self.height = 1
        self.size = 1

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a list nor a mapping."""
        return self.items is None and self.entries is None

    def place(self) -> Place:
        """The first line of it."""
        return Place(self.line, self.column, max(1, self.end - self.start))


class _Open:
    """A list or mapping whose end is not yet read."""

    __slots__ = ("anchor", "key", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Node | None = None


class Document(NamedTuple):
    """A parsed file. `problems` are those that the parser could go on after (duplicate keys, tags, …)."""

    text: str
    root: Node
    problems: list[Diagnostic]


def parse(raw: bytes) -> Document:
    """The tree of a file. Unreadable, with every problem found, when it isn't one YAML document within bounds."""
    text = decode(raw)
    tree = _Tree(text)
    try:
        tree.read(text)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in str(error.problem) and error.problem_mark is not None:
            # The parser reads ahead and has a bound of its own; in what stands before that, ours is met first.
            with suppress(yaml.MarkedYAMLError):
                _Tree(text).read(text[: error.problem_mark.index])
        raise Unreadable([*tree.problems, explain(error, text)], text) from None
    if tree.root is None or (tree.root.is_scalar and tree.root.value is None and not tree.problems):
        raise Unreadable([Diagnostic(Place(1, 1), "the file is empty", "`durun new` writes one to begin with")], text)
    return Document(text, tree.root, tree.problems)


class _Tree:
    """Builds the tree, one event at a time; problems that allow to read on are collected."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Node | None = None
        self.problems: list[Diagnostic] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._values = 0

    def read(self, text: str) -> None:
        """Fold in all of a text. Raises Unreadable, and the parser's MarkedYAMLError."""
        for event in yaml.parse(text, Loader=_LOADER):
            self.take(event)

    def take(self, event: Any) -> None:
        """Fold in one parser event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self._stop(event, "a second document begins here", "one file, one document: put the other in its own file")
        if event.version or event.tags:
            self._stop(event, "YAML directives (%YAML, %TAG) aren't used in a runbook", "remove the line")

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        node = _node(event, event.style or "")
        if event.anchor or event.tag:
            self._skip_properties(node)
        try:
            node.value = resolve(event.value, plain=not event.style)
        except BadScalar as error:
            self._problem(event, str(error), error.hint)
        self._keep(event, node)
        self._add(event, node)

    def _skip_properties(self, node: Node) -> None:
        """The parser counts `&anchor` and `!tag` as part of a value; a place is that of the value itself."""
        properties = _PROPERTIES.match(self.text, node.start, node.end)
        skipped = properties.group() if properties else ""
        node.start += len(skipped)
        if "\n" in skipped:
            node.line += skipped.count("\n")
            node.column = len(skipped) - skipped.rfind("\n")
        else:
            node.column += len(skipped)

    def _start(self, event: Any) -> None:
        self._check_tag(event)
        if len(self._open) >= MAX_DEPTH:
            self._stop(event, f"the file is nested deeper than {MAX_DEPTH} levels", "")
        node = _node(event, "")
        if isinstance(event, yaml.MappingStartEvent):
            node.value, node.entries = {}, {}
        else:
            node.value, node.items = [], []
        self._open.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        done.node.end = event.end_mark.index
        if done.anchor:
            self._anchors[done.anchor] = done.node
        self._add(event, done.node)

    def _alias(self, event: Any) -> None:
        target = self._anchors.get(event.anchor)
        if target is None:
            inside = any(frame.anchor == event.anchor for frame in self._open)
            reason = "stands inside what it names" if inside else "names nothing that comes before it"
            self._stop(event, f"the alias *{event.anchor} {reason}", "quote a text that begins with *")
        assert target is not None
        if len(self._open) + target.height > MAX_DEPTH:
            self._stop(event, f"the alias *{event.anchor} nests deeper than {MAX_DEPTH} levels", "")
        node = _node(event, target.style)
        node.value, node.items, node.entries, node.keys = target.value, target.items, target.entries, target.keys
        node.height, node.size = target.height, target.size
        self._add(event, node)

    def _keep(self, event: Any, node: Node) -> None:
        if event.anchor:
            self._anchors[event.anchor] = node

    def _add(self, event: Any, node: Node) -> None:
        """Put a finished value where it belongs."""
        self._values += node.size if isinstance(event, yaml.AliasEvent) else 1
        if self._values > MAX_VALUES:
            self._stop(event, f"the file holds more than {MAX_VALUES} values, aliases counted", "split the runbook")
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        parent = frame.node
        parent.height = max(parent.height, node.height + 1)
        parent.size += node.size
        if parent.items is not None:
            parent.items.append(node)
            parent.value.append(node.value)
        elif frame.key is None:
            frame.key = node
        else:
            self._entry(parent, frame.key, node)
            frame.key = None

    def _entry(self, parent: Node, key: Node, node: Node) -> None:
        assert parent.entries is not None
        name = key.value
        if name == "<<" and not key.style:
            self._at(key, "merge keys (<<) aren't used in a runbook", "write the keys out, or use `defaults` and `env`")
        elif not isinstance(name, str):
            self._at(key, "a key must be text", _key_hint(key, self.text))
        elif name in parent.entries:
            first = parent.keys[name]
            self._at(key, f"duplicate key `{name}`", f"it is first given at line {first.line}, column {first.column}")
        else:
            parent.entries[name] = node
            parent.keys[name] = key
            parent.value[name] = node.value

    def _check_tag(self, event: Any) -> None:
        if event.tag not in _PLAIN_TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(event, f"the tag {tag} isn't allowed", "remove it; quote a text that begins with !")

    def _problem(self, event: Any, message: str, hint: str) -> None:
        self._at(_node(event, ""), message, hint)

    def _at(self, node: Node, message: str, hint: str) -> None:
        place = node.place() if node.is_scalar else Place(node.line, node.column)
        self.problems.append(Diagnostic(place, message, hint))

    def _stop(self, event: Any, message: str, hint: str) -> None:
        self._problem(event, message, hint)
        raise Unreadable(self.problems, self.text)


def _node(event: Any, style: str) -> Node:
    start, end = event.start_mark, event.end_mark
    return Node(start.index, end.index, start.line + 1, start.column + 1, style=style)


def _key_hint(key: Node, text: str) -> str:
    if key.is_scalar:
        return f'quote it: "{text[key.start : key.end]}"'
    return 'a value that begins with { must be quoted; an expression is written "${{ … }}"'
