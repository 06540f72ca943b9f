"""Declared inputs and outputs: what a runbook asks for and what a step gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from durun.language.diagnostics import Path, did_you_mean
from durun.language.fitting import FORMATS, validator
from durun.language.foreign import FOREIGN
from durun.language.schema import check_part
from durun.language.values import Reader
from durun.model.runbook import Input, Output
from durun.model.values import Json

_ANNOTATIONS: Final = frozenset({"description", "title", "default", "required", "secret", "examples", "deprecated"})
_KEYWORDS: Final = frozenset(
    {"type", "enum", "const", "pattern", "minLength", "maxLength", "format", "minimum", "maximum", "exclusiveMinimum"}
    | {"exclusiveMaximum", "multipleOf", "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"}
    | {"minContains", "maxContains", "properties", "patternProperties", "additionalProperties", "propertyNames"}
    | {"minProperties", "maxProperties", "required", "dependentRequired", "dependentSchemas", "allOf", "anyOf"}
    | {"oneOf", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties"}
)
_SIMPLE: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict,
}  # fmt: skip


def read_inputs(reader: Reader, raw: Mapping[str, Json], path: Path) -> dict[str, Input]:
    """The declared inputs; every fragment is a sound schema, and a default fits it."""
    return {name: _input(reader, fragment or {}, (*path, name)) for name, fragment in raw.items()}


def _input(reader: Reader, raw: dict[str, Json], path: Path) -> Input:
    fragment = {key: value for key, value in raw.items() if _known(reader, key, (*path, key))}
    required = fragment.get("required")
    schema = {key: value for key, value in fragment.items() if key not in ("default", "description", "title", "secret")}
    if isinstance(required, bool):
        del schema["required"]
    schema.setdefault("type", "string")
    if not _sound(reader, schema, path):
        return Input({})
    _check_default(reader, schema, raw, path)
    if secret := fragment.get("secret") is True:
        for key in ("default", "examples"):
            if key in fragment:
                hint = "remove it: the runbook is journalled, and everybody who has it would have the secret"
                reader.problem(f"a secret input can't have `{key}`", (*path, key), hint, at_key=True)
    return Input(
        schema=schema,
        required=required is True,
        has_default="default" in fragment,
        default=fragment.get("default"),
        description=str(fragment.get("description", "")),
        secret=secret,
    )


def _known(reader: Reader, key: str, path: Path) -> bool:
    if key in _KEYWORDS or key in _ANNOTATIONS:
        return True
    if key.startswith("$"):
        reader.problem("an input's schema can't refer to another one", path, "write it out", at_key=True)
    else:
        hint = FOREIGN["an input"].get(key) or did_you_mean(key, _KEYWORDS | _ANNOTATIONS)
        reader.problem(f"unknown key `{key}` in an input", path, hint, at_key=True)
    return False


def _sound(reader: Reader, schema: Mapping[str, Json], path: Path) -> bool:
    """Whether the fragment is a JSON Schema; plain ones are known to be without loading the library."""
    before = len(reader.problems)
    for at, pattern in _patterns(schema, path):
        try:
            re.compile(pattern)
        except re.error as wrong:
            reader.problem(f"`pattern` isn't a regular expression: {wrong}", at)
    for at, name in _formats(schema, path):
        if name not in FORMATS:
            hint = f"write `pattern:`, or one of {', '.join(sorted(FORMATS))}"
            reader.problem(f"the format {name} isn't checked by durun", at, hint)
    for at in _references(schema, path):
        reader.problem("an input's schema can't refer to another one", at, "write it out", at_key=True)
    if len(reader.problems) == before and not _plain(schema):
        for error in _wrong_with(schema):
            where = (*path, *error.absolute_path)
            reader.problem(f"`{where[-1]}` isn't JSON Schema: {_one_line(error.message)}", where)
    return len(reader.problems) == before


def _plain(schema: Mapping[str, Json]) -> bool:
    """Whether there is nothing in it that only the library can judge."""
    well = isinstance(schema.get("enum", []), list) and isinstance(schema.get("pattern", ""), str)
    return well and schema.keys() <= {"type", "enum", "pattern"}


def _check_default(reader: Reader, schema: Mapping[str, Json], raw: Mapping[str, Json], path: Path) -> None:
    """Every value that the fragment itself gives must fit it."""
    kind = schema["type"]
    for index, value in enumerate(schema.get("enum", ())):
        if not _of_type(value, kind):
            reader.problem(f"{value!r} in `enum` isn't of type {kind}", (*path, "enum", index), "say `type:`")
    if "default" not in raw:
        return
    default, at = raw["default"], (*path, "default")
    if raw.get("required") is True:
        reader.problem("an input that is required can't have a default", at, "remove one of the two", at_key=True)
    if schema.keys() <= {"type"}:
        if not _of_type(default, kind):
            hint = "" if "type" in raw else "say `type:`; it is string where nothing is said"
            reader.problem(f"the default isn't of type {kind}", at, hint)
        return
    for error in validator(json.dumps(schema)).iter_errors(default):
        reader.problem(f"the default doesn't fit: {_one_line(error.message)}", (*at, *error.absolute_path))
        return


def _of_type(value: Json, kind: Json) -> bool:
    if not isinstance(kind, str):
        return any(_of_type(value, one) for one in kind)
    if kind == "null":
        return value is None
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _SIMPLE[kind])


def _patterns(schema: Json, path: Path) -> Iterator[tuple[Path, str]]:
    """Every `pattern`, at any depth."""
    for at, key, value in _everything(schema, path):
        if key == "pattern" and isinstance(value, str):
            yield at, value
        if key == "patternProperties" and isinstance(value, dict):
            yield from (((*at, pattern), pattern) for pattern in value)


def _formats(schema: Json, path: Path) -> Iterator[tuple[Path, str]]:
    return ((at, value) for at, key, value in _everything(schema, path) if key == "format" and isinstance(value, str))


def _references(schema: Json, path: Path) -> Iterator[Path]:
    """Every key that would make the library look elsewhere."""
    return (at for at, key, _ in _everything(schema, path) if isinstance(key, str) and key.startswith("$"))


def _everything(data: Json, path: Path) -> Iterator[tuple[Path, str | int, Json]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        if key not in ("enum", "const"):
            yield (*path, key), key, value
            yield from _everything(value, (*path, key))


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300]


def _wrong_with(schema: Mapping[str, Json]) -> list[Any]:
    """What is no JSON Schema 2020-12 in a schema, the first few."""
    return sorted(_of_schemas().iter_errors(schema), key=lambda error: list(map(str, error.absolute_path)))[:3]


@lru_cache(maxsize=1)
def _of_schemas() -> Any:
    """Loaded only for a fragment that needs it: the library's import takes longer than all the rest."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


def read_outputs(reader: Reader, raw: Mapping[str, Json], path: Path, kind: str = "run") -> dict[str, Output]:
    """The declared outputs of a step that runs a command, or (`kind`) sends an `http` request."""
    outputs = {}
    for name, given in raw.items():
        cleaned, problems = check_part(given, "output", (*path, name))
        reader.problems.extend(problems)
        outputs[name] = _output(reader, cleaned or {}, (*path, name), kind)
    return outputs


def _output(reader: Reader, raw: Mapping[str, Json], path: Path, kind: str) -> Output:
    pick = raw.get("json")
    if pick is not None:
        _check_pick(reader, pick, (*path, "json"))
    source = raw.get("from")
    _check_source(reader, source, pick, path, kind)
    whole = source in ("stdout", "body")
    plain = "integer" if source == "status" else "string"
    secret = raw.get("secret", False)
    return Output(raw.get("type", plain), "stdout" if whole or pick is not None else "file", pick, secret)


def _check_source(reader: Reader, source: Json, pick: str | None, path: Path, kind: str) -> None:
    """What a request gives, no command gives; what neither says where it is, only a script can write."""
    at = (*path, "from")
    if kind == "run" and source not in (None, "stdout"):
        reader.problem(
            "this is what a request gives, and here a command is run", at, "write `from: stdout`", at_key=True
        )
    elif kind == "http" and source == "stdout":
        reader.problem("a request has no stdout", at, "write `from: body`")
    elif kind == "http" and source is None and pick is None:
        hint = "write `json: PATH`, `from: body`, `from: status` or `from: {header: NAME}`"
        reader.problem("an output of a request says where it comes from", path, hint, at_key=True)
    elif kind == "http" and source not in (None, "body") and pick is not None:
        reader.problem("`json` picks from the body", at, "remove one of the two", at_key=True)


def _check_pick(reader: Reader, pick: str, path: Path) -> None:
    import jmespath  # few runbooks pick from JSON
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(pick)
    except JMESPathError as error:
        reader.problem(f"`json` isn't a JMESPath: {_one_line(str(error))}", path, "see https://jmespath.org")
