"""From a list of anything to targets with keys: the names that a fan-out's tasks have for ever."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from durun.errors import DurunError
from durun.language.data import NotData, parse_json, read_data
from durun.language.expressions import render
from durun.language.plain import kind_of, to_text
from durun.model.runbook import TargetsFile, TargetsMatrix, TargetsValue
from durun.model.task import Target
from durun.model.values import Json, Value

MAX_KEY = 256
"""Characters of a key."""
MAX_TARGETS = 1_000_000
KEY_FIELDS = ("name", "id", "host")
"""Where the key of a target is looked for, in this order, unless `target_key` says it."""

Render = Callable[[Value, Mapping[str, Any]], Json]
"""`durun.language.expressions.render`, or one that adds to the scope."""


MOST_BYTES = 64 << 20
"""Bytes of a list of targets."""


class TargetError(DurunError):
    """The targets of a step can't be used: no list, no key, a key twice."""

    code = "targets"


def listed(
    source: TargetsValue | TargetsFile | TargetsMatrix, scope: Mapping[str, Any], read: Callable[[str], bytes]
) -> Json:
    """The values of the targets, as the runbook says them; `read` gives a file by the name that stands there.

    Raises ExpressionError, TargetError, and whatever `read` raises.
    """
    match source:
        case TargetsValue(value):
            return render(value, scope)
        case TargetsMatrix(axes):
            return matrix({name: render(values, scope) for name, values in axes.items()})
        case TargetsFile(path):
            name = to_text(render(path, scope))
            return parse_targets_file(read(name), name)


def as_targets(value: Json, key: Value | None, where: str, render: Render) -> tuple[Target, ...]:
    """The targets of a list. `where` begins messages, such as `step "rotate"`.

    A key is what the template `key` gives with `target` in scope; without one the value itself, or its
    `name`, `id` or `host`. Keys are NFC, 1 to 256 printable characters, unique. An empty list is no error.
    Raises TargetError, and whatever `render` raises.
    """
    if not isinstance(value, list | tuple):
        raise TargetError(f"{where}: targets must be a list, and are of type {kind_of(value)}")
    if len(value) > MAX_TARGETS:
        raise TargetError(f"{where}: {len(value):,} targets are more than {MAX_TARGETS:,}")
    positions: dict[str, int] = {}
    targets: list[Target] = []
    for position, entry in enumerate(value, 1):
        found = _own_key(entry) if key is None else render(key, {"target": entry})
        name = _checked(found, f"{where}: target {position}", key is None)
        if name in positions:
            raise TargetError(
                f"{where}: targets {positions[name]} and {position} have the same key `{name}`",
                "give each its own with `target_key`, or remove one",
            )
        positions[name] = position
        targets.append(Target(name, entry))
    return tuple(targets)


def _own_key(entry: Json) -> Json:
    if isinstance(entry, Mapping):
        return next((entry[name] for name in KEY_FIELDS if entry.get(name) not in (None, "")), None)
    return entry


def _checked(found: Json, place: str, own: bool) -> str:
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        if own:
            wrong = f"is named by a value of type {kind_of(found)}"
            lacks = "has no `name`, `id` or `host`" if found is None else wrong
            raise TargetError(f"{place} {lacks}", "name it by a text or a number: `target_key: ${{ target.FIELD }}`")
        raise TargetError(f"{place}: its `target_key` is of type {kind_of(found)}, and a key is text or a number")
    text = unicodedata.normalize("NFC", to_text(found))
    if not 1 <= len(text) <= MAX_KEY:
        size = "empty" if not text else f"{len(text)} characters long"
        raise TargetError(f"{place}: its key is {size}, and may have 1 to {MAX_KEY}", "shorten it with `target_key`")
    if not text.isprintable():
        raise TargetError(f"{place}: its key {text!a} holds a character that can't be printed")
    return text


def parse_targets_text(stdout: str) -> list[Json]:
    """The targets that a command has printed: a JSON array, or one a line (blank lines dropped). Raises TargetError."""
    if not stdout.lstrip().startswith("["):
        # Not at whatever else Unicode takes for the end of a line or for a blank: what has that in its name would
        # become another target, or two.
        return [line for line in (text.strip(" \t\r") for text in stdout.split("\n")) if line]
    try:
        value = parse_json(stdout)
    except NotData as error:
        hint = "print a JSON array, or one target a line with no `[` at the beginning"
        raise TargetError(f"the command for the targets began a JSON array, but it is {error.message}", hint) from error
    assert isinstance(value, list)
    return value


def matrix(axes: Mapping[str, Sequence[Json]], where: str = "matrix") -> list[dict[str, Json]]:
    """Every combination of the axes, the last one changing fastest. Their step needs a `target_key`.

    Raises TargetError when an axis is no list or there would be too many.
    """
    total = 1
    for name, values in axes.items():
        if not isinstance(values, list | tuple):
            raise TargetError(f"{where}: the axis `{name}` must be a list, and is of type {kind_of(values)}")
        total *= len(values)
    if total > MAX_TARGETS:
        raise TargetError(f"{where}: {total:,} targets are more than {MAX_TARGETS:,}")
    return [dict(zip(axes, combination, strict=True)) for combination in itertools.product(*axes.values())]


def parse_targets_file(text: bytes, name: str) -> list[Json]:
    """The list in a YAML or JSON file; JSON may have any size. Raises TargetError, naming the file."""
    try:
        value = read_data(text, name)
    except NotData as error:
        raise TargetError(f"{name}: {error.message}", error.hint) from error
    if not isinstance(value, list):
        raise TargetError(f"{name} must hold a list of targets, and holds a value of type {kind_of(value)}")
    return value
