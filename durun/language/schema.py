"""The shape of a runbook, checked against runbook.schema.json in one pass that says what to write instead.

The schema is plain JSON Schema 2020-12, the same file that editors get. A generic validator reports *that*
one of several shapes doesn't match and costs tens of milliseconds to import; this reader of the few keywords
that the file uses says which shape was meant, and hands back the document without what is wrong, so that
all later checks run too and every problem is told at once. A test holds it equal to `jsonschema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any, Final

from durun.language.diagnostics import Path, Problem, did_you_mean, harmless
from durun.language.foreign import CONFLICTS, NOT_YET, TYPES, hint_for
from durun.language.plain import to_the_end
from durun.model.values import Json

READ_KEYWORDS: Final = frozenset(
    {"$ref", "type", "const", "enum", "anyOf", "not", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"items", "minItems", "properties", "additionalProperties", "propertyNames", "required"}
    | {"minProperties", "maxProperties"}
)
"""The keywords that `check` knows. What the others say is checked where steps are built."""

INVALID: Final = object()
"""Stands for a value that must not be looked at further."""

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip
_ARTICLES: Final = {
    "object": "a mapping", "array": "a list", "string": "a text", "boolean": "true or false",
    "integer": "a whole number", "number": "a number", "null": "empty",
}  # fmt: skip
_STEP: Final = "a step"
_GUESSES: Final = 100
"""So many unknown keys are compared with the known ones, which is slow; more of them is no slip of the finger."""
_MAPPINGS: Final = frozenset(
    {
        "retry",
        "verify",
        "targets",
        "generate",
        "assert",
        "requires",
        "defaults",
        "idempotent",
        "choice",
        "secret",
        "wait",
        "approval",
        "manual",
        "wait_for",
        "concurrency",
        "collect",
        "rollback",
        "runbook",
        "privileged",
    }
    | {"the runbook", "a secret", "a notice", "keyring", "command", "put", "delete"}
    | {"http", "auth", "basic", "tls", "body", "from"}
    | {"password", "token", "bytes", "ssh_key", "rsa_key", "x509_request"}
)


SCHEMA_FILE: Final = FilePath(__file__).with_name("runbook.schema.json")


@cache
def document_schema() -> Mapping[str, Json]:
    """The JSON Schema of a runbook."""
    schema: Mapping[str, Json] = json.loads(SCHEMA_FILE.read_text("utf-8"))
    return schema


def check(data: Json) -> tuple[Json, list[Problem]]:
    """The document without its invalid parts, and what is wrong with them.

    A mapping loses the keys that are invalid, a list with an invalid item is invalid itself; but a list of
    steps keeps its length (an item that is no mapping becomes an empty one), so that paths stay true.
    """
    reader = _Reader(document_schema())
    cleaned = reader.read(data, reader.root, ())
    return ({} if cleaned is INVALID else cleaned), reader.problems


def check_part(data: Json, definition: str, path: Path) -> tuple[Json, list[Problem]]:
    """The same for one value that stands at `path`, against a definition of the schema by its name."""
    reader = _Reader(document_schema())
    cleaned = reader.read(data, {"$ref": f"#/$defs/{definition}"}, path)
    return (None if cleaned is INVALID else cleaned), reader.problems


class _Reader:
    """One pass over one document."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.root = schema
        self.problems: list[Problem] = []
        self._definitions: Mapping[str, Json] = schema["$defs"]

    def read(self, value: Json, schema: Json, path: Path) -> Json:
        """`value` without its invalid parts, or INVALID."""
        if schema is True:
            return value
        schema = self.resolve(schema)
        if "anyOf" in schema:
            return self._any_of(value, schema["anyOf"], path)
        fault = self._fault(value, schema)
        if fault:
            self._wrong(value, [schema], path, fault)
            return {} if schema.get("title") == _STEP else INVALID
        if isinstance(value, dict):
            return self._mapping(value, schema, path)
        if isinstance(value, list) and "items" in schema:
            return self._list(value, schema["items"], path)
        return value

    def resolve(self, schema: Json) -> Json:
        """`schema`, or the definition that it points to."""
        while "$ref" in schema:
            schema = self._definitions[schema["$ref"].removeprefix("#/$defs/")]
        return schema

    def _fault(self, value: Json, schema: Json) -> str:
        """Why the value itself (not what is in it) doesn't match: `type`, `text`, `value`, `size`; or nothing."""
        types = schema.get("type")
        if types is not None and not any(_is(value, name) for name in ([types] if isinstance(types, str) else types)):
            return "type"
        if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
            return "value"
        if "enum" in schema and value not in schema["enum"]:
            return "value"
        if isinstance(value, str):
            return _text_fault(value, schema)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return "value" if not schema.get("minimum", value) <= value <= schema.get("maximum", value) else ""
        if isinstance(value, list):
            return "size" if len(value) < schema.get("minItems", 0) else ""
        if isinstance(value, dict):
            most, least = schema.get("maxProperties", len(value)), schema.get("minProperties", 0)
            return "size" if not least <= len(value) <= most else ""
        return ""

    def _any_of(self, value: Json, shapes: list[Json], path: Path) -> Json:
        """The shape that was meant is the one of the value's type; an expression is always told as the last way."""
        resolved = [self.resolve(shape) for shape in shapes]
        for shape in resolved:
            if not self._fault(value, shape):
                return self.read(value, shape, path)
        meant = [shape for shape in resolved if self._fault(value, shape) != "type" and not _is_expression(shape)]
        if len(meant) == 1 and isinstance(value, (dict, list)):
            return self.read(value, meant[0], path)
        self._wrong(value, resolved, path, self._fault(value, meant[0]) if meant else "type")
        return INVALID

    def _mapping(self, value: dict[str, Json], schema: Json, path: Path) -> Json:
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        names = schema.get("propertyNames")
        cleaned = {}
        for key, item in value.items():
            at = (*path, key)
            if key in properties:
                kept = self.read(item, properties[key], at)
            elif others is False:
                self._unknown(key, schema, at)
                continue
            elif names is not None and _text_fault(key, names):
                self._bad_name(key, names, at)
                continue
            else:
                kept = self.read(item, others, at)
            if kept is not INVALID:
                cleaned[key] = kept
        for key in schema.get("required", ()):
            if key not in value:
                self._missing(key, value, schema, path)
        return cleaned

    def _list(self, value: list[Json], items: Json, path: Path) -> Json:
        cleaned = [self.read(item, items, (*path, index)) for index, item in enumerate(value)]
        return INVALID if any(item is INVALID for item in cleaned) else cleaned

    def _wrong(self, value: Json, shapes: list[Any], path: Path, fault: str) -> None:
        short = isinstance(value, str) and shapes[0].get("title") == "concurrency"
        if isinstance(value, str) and "${{" in value and not (short or any(map(_is_expression, shapes))):
            message = f"{_what(path)} can't hold an expression"
            self.problems.append(Problem(message, path, "write the value itself", needle="${{"))
            return
        expected = _joined([word for shape in shapes for word in _expected(shape)])
        # A value in the place of a secret's source is the secret itself.
        if fault == "size":
            actual = "" if value else ", not an empty one"
        else:
            actual = "" if path[:1] == ("secrets",) and isinstance(value, str) else f", not {_shown(value)}"
        at_key = isinstance(value, (dict, list)) or value is None
        problem = Problem(f"{_what(path)} must be {expected}{actual}", path, _hint(value, shapes), at_key=at_key)
        self.problems.append(problem)

    def _unknown(self, key: str, schema: Json, path: Path) -> None:
        place, permitted = schema.get("title", ""), frozenset(schema["properties"])
        if key in NOT_YET.get(place, ()):
            message = f"this version of durun doesn't have `{key}` in {_place(place)}"
            self.problems.append(Problem(message, path, at_key=True))
            return
        hint = hint_for(place, key, permitted)
        if not hint and len(self.problems) < _GUESSES:
            hint = did_you_mean(key, permitted)
        if not hint and len(permitted) <= 12:
            hint = f"known here: {', '.join(sorted(permitted))}"
        self.problems.append(Problem(f"unknown key `{_short(key)}` in {_place(place)}", path, hint, at_key=True))

    def _missing(self, key: str, value: dict[str, Json], schema: Json, path: Path) -> None:
        message = f"{_subject(schema.get('title', ''))} needs `{key}:`"
        self.problems.append(Problem(message, path, _missing_hint(key, value), at_key=not path or path[-1] in value))

    def _bad_name(self, key: str, names: Json, path: Path) -> None:
        title = names.get("title", "a name")
        self.problems.append(Problem(f"`{_short(key)}` isn't {title}", path, _name_hint(key, names), at_key=True))


def _is(value: Json, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _text_fault(value: str, schema: Json) -> str:
    if "pattern" in schema and not re.search(to_the_end(schema["pattern"]), value):
        return "text"
    if "not" in schema and re.search(schema["not"]["pattern"], value):
        return "text"
    return "" if schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)) else "text"


def _is_expression(schema: Json) -> bool:
    return bool(schema.get("title") == "an expression")


def _expected(schema: Json) -> list[str]:
    """What may stand there, in words."""
    if "const" in schema:
        return [str(schema["const"])]
    if "enum" in schema:
        return [str(word) for word in schema["enum"]]
    if schema.get("title") in _MAPPINGS:
        keys = list(schema["properties"])
        if schema.get("maxProperties") == 1:
            return [f"a mapping with exactly one of {', '.join(keys)}"]
        return [f"a mapping ({', '.join(keys[:6])}{', …' if len(keys) > 6 else ''})"]
    if "title" in schema:
        return [str(schema["title"])]
    types = schema.get("type", "object")
    return [_ARTICLES[name] for name in ([types] if isinstance(types, str) else types)]


def _hint(value: Json, shapes: list[Any]) -> str:
    if shapes[0].get("title") == "a secret" and isinstance(value, str):
        return "a value never stands in a runbook: `durun secret set` keeps it in the keyring"
    if shapes[0].get("title") == "the name of a plugin's action":
        return "`durun doctor` lists those that are installed"
    if shapes[0].get("title") == "runbook" and isinstance(value, str):
        return "write `runbook: {file: PATH}`"
    if shapes[0].get("title") == "concurrency":
        return "write `concurrency: {group: NAME}`" if isinstance(value, str) else "tasks at once are `max_parallel:`"
    titles = " ".join(str(shape.get("title", "")) for shape in shapes)
    if "duration" in titles and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"write {value}s for seconds, {value}m for minutes"
    words = [str(word) for shape in shapes for word in shape.get("enum", ())]
    if isinstance(value, str) and words:
        if value in TYPES and TYPES[value] in words:
            return f"write {TYPES[value]}"
        if value in CONFLICTS and CONFLICTS[value] in words:
            return f"write {CONFLICTS[value]}"
        if "bash" in words and " " in value:
            return "a command is written under `run:`; `shell:` says what reads it"
        return did_you_mean(value, words)
    if isinstance(value, (int, float, bool)) and "a text" in titles:
        return f'quote it to make it a text: "{json.dumps(value)}"'
    if isinstance(value, str) and "list" in titles and "bash" not in words:
        return f"write [{value}]" if re.fullmatch(r"[\w.*/-]+", value) else ""
    return ""


def _missing_hint(key: str, value: dict[str, Json]) -> str:
    if key == "id":
        base = str(value.get("name") or next(iter(value), "step"))
        slug = re.sub(r"[^a-z0-9]+", "_", base.lower()).strip("_0123456789")[:40]
        return f"write `id: {slug or 'step'}`: other steps and the history call it that"
    return {
        "durun": "write `durun: 1`, the version of the language",
        "name": "write `name: my-runbook`",
        "steps": "write `steps:`, a list; each one has an `id` and an action such as `run`",
        "run": "write `run:`; a text is a script, a list is a command",
        "from": "write `from: [A, B, C]`",
        "argv": "write `argv: [COMMAND, ARGUMENT, …]`",
        "service": "write `service:`, what the value is for, and `username:`, whose it is",
        "value": "write `value: ${{ steps.ID.outputs.NAME }}`",
        "events": "write `events: [failed, waiting, in_doubt, succeeded]`, those that matter",
        "group": "write `group:`, a name such as rotate-${{ inputs.role }}",
        "file": "write `file:`, the runbook's path, relative to this file",
        "that": "write `that:`, an expression that must be true",
        "message": "write `message:`, what is to be approved",
        "approvers": "write `approvers: [NAME, …]`; `group:NAME` is everyone in a unix group",
        "instructions": "write `instructions:`, what the person is to do",
        "until": "write `until:`, the id of the step with which it ends",
        "max": "write `max:`, how long it may be open, such as 4h",
        "ttl": "write `ttl: 24h`, or `idempotent: true`",
    }.get(key, "")


def _name_hint(key: str, names: Json) -> str:
    slug = re.sub(r"[^A-Za-z0-9_]", "_", key)
    for guess in (slug, slug.lower()):
        if not _text_fault(guess, names):
            return f"write `{_short(guess)}`"
    return ""


def _what(path: Path) -> str:
    if not path:
        return "a runbook"
    if isinstance(path[-1], str):
        return f"`{_short(path[-1])}`"
    owner = next((part for part in reversed(path) if isinstance(part, str)), "")
    return f"each item of `{_short(owner)}`"


def _place(title: str) -> str:
    return title if " " in title else f"`{title}`"


def _subject(title: str) -> str:
    return "a runbook" if title == "the runbook" else _place(title)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def _shown(value: Json) -> str:
    if value is None:
        return "empty"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value == "":
        return "an empty text"
    if isinstance(value, str) and re.fullmatch(r"true|false|null|-?[0-9]+(\.[0-9]+)?", value):
        return f'the text "{_short(value)}"'  # else it looks like what is wanted
    return _short(harmless(value) if isinstance(value, str) else json.dumps(value))


def _joined(words: list[str], last: str = "or") -> str:
    unique = list(dict.fromkeys(words))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} {last} {unique[-1]}"
