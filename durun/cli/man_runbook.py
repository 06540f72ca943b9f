"""The manual page of runbooks, from their JSON Schema: what editors tell of a key, a terminal tells as well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from durun import __version__
from durun.cli.roff import head, listed, text
from durun.language.schema import SCHEMA_FILE

_ABOUT = """\
A runbook is one YAML file (YAML 1.2: yes, on and 012 are strings). It has a name and steps, which are run from top to
bottom; each has an id, one action, and what else it needs. ${{ ... }} is an expression. None may stand in a script:
there, a value is a variable."""

_EXAMPLE = """\
durun: 1
name: restart-web
inputs:
  hosts: {type: array, items: {type: string}, default: [web1, web2]}
steps:
  - id: restart
    targets: ${{ inputs.hosts }}
    serial: [1, 100%]
    run: ssh "$TARGET" sudo systemctl restart nginx
    timeout: 1m
    idempotent: true"""

Schema = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    lines = head("durun-runbook", 5, __version__, "File Formats", "the language of durun's runbooks")
    lines += [".SH DESCRIPTION", text(_ABOUT), ".SH EXAMPLE", ".nf", text(_EXAMPLE), ".fi"]
    lines += [".SH KEYS", ".SS At the top", *listed(_keys(schema, schema))]
    for name, inner in _sections(schema):
        lines += [f'.SS "{text(name)}"', *listed(_keys(inner, schema))]
    lines += [".SH SEE ALSO", ".BR durun (1)"]
    return "\n".join(lines) + "\n"


def _sections(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """What has keys of its own, by the key under which it stands; each once, in the order in which it is met."""
    met: set[str] = set()
    rest = [(name, inner) for name, inner in reversed(schema["properties"].items())]
    while rest:
        name, inner = rest.pop()
        for found in _objects(inner, schema):
            if (written := json.dumps(found["properties"])) not in met:
                met.add(written)
                yield name, found
                rest += reversed(found["properties"].items())
    for name, inner in schema["$defs"].items():
        if "properties" in inner and json.dumps(inner["properties"]) not in met:
            yield name, inner


def _objects(node: Any, schema: Schema) -> Iterator[Schema]:
    """The forms of a value that are mappings with keys of their own: its own, or those of what is in it."""
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        yield from _objects(_meant(node, schema), schema)
    if "properties" in node:
        yield node
        return
    for name in ("anyOf", "oneOf"):
        for inner in node.get(name, ()):
            yield from _objects(inner, schema)
    for name in ("items", "additionalProperties"):
        yield from _objects(node.get(name), schema)


def _keys(node: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    for name, inner in node["properties"].items():
        said, seen = inner.get("description", ""), inner
        while not said and "$ref" in seen:
            seen = _meant(seen, schema)
            said = seen.get("description", "")
        values = seen.get("enum") or _meant(seen, schema).get("enum", ())
        needed = "" if name not in node.get("required", ()) else " Required."
        choice = f" One of {', '.join(map(str, values))}." if values else ""
        yield name, f"{said}{choice}{needed}".strip()


def _meant(node: Schema, schema: Schema) -> Schema:
    """What a reference names; the node itself if it is none."""
    found: Schema = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return found
