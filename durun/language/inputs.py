"""The inputs of a run: from the command line and a file to checked values, or every problem at once.

Inputs reach a step literally, as `INPUT_<NAME>` in its environment, so what no environment can carry is
refused here and not when the step is started.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from durun.errors import InvalidInput
from durun.language.data import NotData, parse_json, read_data
from durun.language.diagnostics import did_you_mean
from durun.language.plain import kind_of
from durun.model.runbook import Input, Runbook
from durun.model.values import Json

MAX_VARIABLE = 128 * 1024
"""Bytes of one `NAME=value` with its closing NUL: Linux's MAX_ARG_STRLEN, see execve(2)."""
MAX_VARIABLES = 1024 * 1024
"""Bytes of all inputs together; Linux gives argv and environment 2 MiB by default, and the step needs some."""
MAX_FILE = 16 * 1024 * 1024


def given_inputs(pairs: Sequence[str], file_values: Mapping[str, Json] | None, runbook: Runbook) -> dict[str, Json]:
    """The values of all inputs: `NAME=VALUE` pairs over the file's over the defaults, checked.

    A pair's value is literal where the input is a string, else JSON. The last pair of a name counts. Inputs
    that are neither given nor have a default are absent. Raises InvalidInput with every problem.
    """
    problems: list[str] = []
    given: dict[str, Json] = dict(file_values or {})
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            problems.append(f"`{_short(pair)}` is not NAME=VALUE")
        elif name in runbook.inputs:
            given[name] = _from_text(name, text, runbook.inputs[name], problems)
        else:
            given[name] = text
    unreadable = {name for name, value in given.items() if value is _UNREADABLE}
    problems += _unknown(given, runbook)
    values: dict[str, Json] = {}
    for name, declared in runbook.inputs.items():
        if name in given and name not in unreadable:
            values[name] = given[name]
            problems += (f"input `{name}` {why}" for why in _wrong(name, given[name], declared))
        elif name not in given and declared.has_default:
            values[name] = declared.default
        elif name not in given and declared.required:
            problems.append(f"input `{name}` is missing{_described(declared)}")
    if not problems and sum(_variable_size(*item) for item in values.items()) > MAX_VARIABLES:
        problems.append(f"the inputs together have more than {MAX_VARIABLES:,} bytes; give the big ones as files")
    if problems:
        raise _refusal(problems)
    return values


_UNREADABLE = object()


def _from_text(name: str, text: str, declared: Input, problems: list[str]) -> Any:
    if declared.is_string:
        return text
    try:
        return parse_json(text)
    except NotData:
        problems.append(f"input `{name}` must be {_wanted(declared)}, written as JSON; `{_short(text)}` is not JSON")
        return _UNREADABLE


def _wanted(declared: Input) -> str:
    kind = declared.schema.get("type", "string")
    return f"{'an' if str(kind)[0] in 'aio' else 'a'} {kind}" if isinstance(kind, str) else "one of its types"


def _described(declared: Input) -> str:
    return f" ({declared.description})" if declared.description else ""


def _short(text: str) -> str:
    line = "".join(char if char.isprintable() else "�" for char in text[:61])
    return line if len(line) <= 60 else line[:60] + "…"


def _unknown(given: Mapping[str, Json], runbook: Runbook) -> Iterator[str]:
    for name in given:
        if name not in runbook.inputs:
            near = did_you_mean(name, runbook.inputs)
            known = ", ".join(f"`{other}`" for other in runbook.inputs)
            yield f"there is no input `{_short(name)}`; " + (
                near or (f"there are {known}" if known else "there are none")
            )


def _refusal(problems: list[str]) -> InvalidInput:
    hint = "give inputs with -i NAME=VALUE or --inputs FILE" if any(" is missing" in one for one in problems) else ""
    if len(problems) == 1:
        return InvalidInput(problems[0], hint)
    lines = "".join(f"\n  {problem}" for problem in problems)
    return InvalidInput(f"{len(problems)} things are wrong with the inputs:{lines}", hint)


def _wrong(name: str, value: Json, declared: Input) -> Iterator[str]:
    fault = _unpassable(name, value)
    if fault:
        yield fault
        return
    if _plainly_right(declared.schema, value):
        return
    errors = _validator(json.dumps(declared.schema)).iter_errors(value)
    yield from sorted(map(_in_words, errors))


_PLAIN: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


def _plainly_right(schema: Mapping[str, Json], value: Json) -> bool:
    """Whether the schema says no more than a type, and the value is of it: then jsonschema need not be loaded."""
    wanted = schema.get("type", "string")
    if schema.keys() - {"type"} or not isinstance(wanted, str) or wanted not in _PLAIN:
        return False
    return type(value) is _PLAIN[wanted]


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator  # 60 ms, and a runbook without inputs needs none of it

    return Draft202012Validator({"type": "string", **json.loads(schema)})


def _unpassable(name: str, value: Json) -> str:
    """Why an environment variable can't carry the value; empty if it can."""
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character, which no environment variable can hold"
    try:
        size = _variable_size(name, value)
    except UnicodeEncodeError:
        return "is not text in UTF-8"
    if size > MAX_VARIABLE:
        return (
            f"has {size:,} bytes as an environment variable, and the system passes {MAX_VARIABLE:,}; "
            "write it to a file and give the file's path"
        )
    return ""


def _variable_size(name: str, value: Json) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(f"INPUT_{name.upper()}={text}".encode()) + 1


_AGAINST_LIMIT = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
    "pattern": "must match the pattern {}",
    "const": "must be {}",
}


def _in_words(error: Any) -> str:
    """One error of jsonschema for people. Never the value: it may be long, and it may be private."""
    inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    place = f"at `{inside.removeprefix('.')}` " if inside else ""
    limit = error.validator_value
    match error.validator:
        case "type":
            kinds = [limit] if isinstance(limit, str) else limit
            return f"{place}must be of type {' or '.join(kinds)}, and is of type {kind_of(error.instance)}"
        case "enum":
            return f"{place}must be one of {', '.join(json.dumps(one, ensure_ascii=False) for one in limit)}"
        case "required":
            missing = [name for name in limit if name not in error.instance]
            return f"{place}lacks {', '.join(f'`{name}`' for name in missing)}"
        case "additionalProperties":
            return f"{place}has a key that its schema does not know"
        case "uniqueItems":
            return f"{place}has an entry twice"
        case str(word) if word in _AGAINST_LIMIT:
            return place + _AGAINST_LIMIT[word].format(limit)
    return f"{place}does not fit `{error.validator}` of its schema"


def read_inputs_file(path: str) -> dict[str, Json]:
    """The inputs in a YAML or JSON file; `-` is standard input. Raises InvalidInput."""
    shown = "standard input" if path == "-" else path
    try:
        raw = _read(path)
    except OSError as error:
        raise InvalidInput(f"{shown} can't be read: {os.strerror(error.errno or 0)}") from error
    if len(raw) > MAX_FILE:
        raise InvalidInput(f"{shown} is larger than {MAX_FILE // 1024 // 1024} MiB")
    try:
        values = read_data(raw, shown)
    except NotData as error:
        raise InvalidInput(f"{shown}: {error.message}", error.hint) from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{shown} must be a mapping of input names to values, and is of type {kind_of(values)}")
    return values


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with Path(path).open("rb") as file:
        return file.read(MAX_FILE + 1)


def digest_of(inputs: Mapping[str, Json]) -> str:
    """SHA-256, in hex, of the inputs as canonical JSON (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
