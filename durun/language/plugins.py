"""Reads `uses` and `with`: an action from a plugin, and what it is given, held against the plugin's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from durun.errors import DurunError
from durun.language.calls import read_call
from durun.language.diagnostics import Path, did_you_mean
from durun.language.fitting import in_words, validator
from durun.language.shelf import Shelf
from durun.language.values import Reader
from durun.model.plugin import Plugin
from durun.model.runbook import Action, Call, Shell
from durun.model.values import Json

_OF_SHAPE: Final = frozenset(
    {"type", "required", "additionalProperties", "propertyNames", "dependentRequired"}
    | {"minItems", "maxItems", "minProperties", "maxProperties"}
)
"""Keywords that look at which keys and entries there are, and not at what they are, which expressions may give."""
_BRANCHES: Final = frozenset({"then", "else", "not", "contains", "dependentSchemas"})
"""Keywords under which a schema holds only as other values are."""
_KNOWN: Final = 12


class Used(NamedTuple):
    """An action from a plugin with its surroundings; `plugin` is None if it can't be used, which has been noted."""

    call: Call
    plugin: Plugin | None


def read_used(
    reader: Reader,
    raw: Mapping[str, Json],
    path: Path,
    shell: Shell,
    shelf: Shelf,
    timeout: Json = None,
    *,
    gives: bool = True,
) -> Used:
    """What stands under `uses` and `with` at `path`, with what stands beside them. `timeout` is the default one.

    `gives`: its outputs are wanted.
    """
    action, plugin = _read_uses(reader, {"uses": "", **raw}, path, shelf, gives)
    beside = {key: value for key, value in raw.items() if key not in ("stdin", "shell")}
    call = read_call(reader, {**beside, "run": ""}, path, shell, timeout)
    return Used(call._replace(action=action), plugin)


def _read_uses(
    reader: Reader, raw: Mapping[str, Json], path: Path, shelf: Shelf, gives: bool
) -> tuple[Action, Plugin | None]:
    name, given, at = str(raw["uses"]), raw.get("with", {}), (*path, "with")
    plugin = _describe(reader, name, (*path, "uses"), shelf)
    # Nobody knows where one that is missing would take a secret.
    secret: tuple[Path, ...] = ((),)
    if plugin is not None:
        secret = tuple(_secret_places(given, [plugin.schema], plugin.schema, ()))
        for where, message, hint, at_key in sorted(set(_problems(plugin, given)), key=repr):
            reader.problem(message, (*at, *where) if where or "with" in raw else path, hint, at_key=at_key)
    spec = {"uses": name, "with": reader.value(given, at), "secret": secret, "gives": gives}
    return Action("uses", spec), plugin


def _describe(reader: Reader, name: str, path: Path, shelf: Shelf) -> Plugin | None:
    if not name:
        return None  # It is no name, which has been noted.
    try:
        return shelf.plugin(name)
    except DurunError as error:
        reader.problem(error.message, path, error.hint)
        return None


Found = tuple[Path, str, str, bool]
"""Where under `with`, a message, a hint, and whether it is about the key."""


def _problems(plugin: Plugin, given: Json) -> Iterator[Found]:
    """What is wrong with what is given, as far as it can be told before its expressions are evaluated."""
    for error in validator(json.dumps(plugin.schema)).iter_errors(given):
        where = tuple(error.absolute_path)
        unknown = _has_expression(error.instance)
        if isinstance(error.instance, str) and unknown:
            continue
        if unknown and error.validator not in _OF_SHAPE:
            continue
        if _BRANCHES.intersection(error.absolute_schema_path) and _has_expression(given):
            continue
        yield from _found(plugin, error, where)


def _found(plugin: Plugin, error: Any, where: Path) -> Iterator[Found]:
    known = error.schema.get("properties", {})
    named = next((part for part in reversed(where) if isinstance(part, str)), "with")
    place = f"an entry of `{named}`" if where and isinstance(where[-1], int) else f"`{named}`"
    match error.validator:
        case "required":
            for name in (one for one in error.validator_value if one not in error.instance):
                told = known.get(name, {}).get("description", "") if isinstance(known.get(name), dict) else ""
                yield where, f"{plugin.name} needs `{name}` in {place}", f"write `{name}: …`{_why(told)}", True
        case "additionalProperties" if error.validator_value is False:
            patterns = list(error.schema.get("patternProperties", ()))
            for key in error.instance:
                if key not in known and not any(re.search(pattern, key) for pattern in patterns):
                    hint = did_you_mean(key, known) or f"known here: {', '.join(list(known)[:_KNOWN]) or 'nothing'}"
                    yield (*where, key), f"{plugin.name} knows no `{key}` in {place}", hint, True
        case _:
            told = str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
            yield where, f"{place} {in_words(error, placed=False)}", told, isinstance(error.instance, dict | list)


def _why(description: object) -> str:
    return f", {description}" if description else ""


def _has_expression(value: Json) -> bool:
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, dict):
        return any(map(_has_expression, value.values()))
    return isinstance(value, list) and any(map(_has_expression, value))


def _secret_places(value: Json, schemas: list[Json], root: Mapping[str, Json], path: Path) -> Iterator[Path]:
    """Where in what is given the schema says `writeOnly`."""
    here = [schema for one in schemas for schema in _all_of(one, root)]
    if any(schema.get("writeOnly") is True for schema in here):
        yield path
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _secret_places(
                entry, [one for schema in here for one in _of_key(schema, key)], root, (*path, key)
            )
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            inside = [one for schema in here for one in _of_index(schema, number)]
            yield from _secret_places(entry, inside, root, (*path, number))


def _all_of(schema: Json, root: Mapping[str, Json], seen: tuple[int, ...] = ()) -> Iterator[Mapping[str, Json]]:
    """The schema, and all that it is made of or may turn into."""
    if not isinstance(schema, Mapping) or id(schema) in seen:
        return
    seen = (*seen, id(schema))
    yield schema
    if isinstance(schema.get("$ref"), str):
        yield from _all_of(_pointed(schema["$ref"], root), root, seen)
    for word in ("allOf", "anyOf", "oneOf"):
        for one in schema.get(word, ()):
            yield from _all_of(one, root, seen)
    for word in ("then", "else"):
        yield from _all_of(schema.get(word), root, seen)


def _pointed(reference: str, root: Json) -> Json:
    """What `#/…` in a schema points to; None if it is not there."""
    for part in reference.removeprefix("#").split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        root = root.get(part) if isinstance(root, Mapping) else None
    return root


def _of_key(schema: Mapping[str, Json], key: str) -> Iterator[Json]:
    patterns = [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
    if key in schema.get("properties", {}):
        yield schema["properties"][key]
    elif not patterns:
        yield schema.get("additionalProperties")
    yield from patterns


def _of_index(schema: Mapping[str, Json], number: int) -> Iterator[Json]:
    first = schema.get("prefixItems", [])
    yield first[number] if number < len(first) else schema.get("items")
