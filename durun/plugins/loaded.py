"""Loads a plugin's code: only in a process that was started for it, never in a runner."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from durun.model.values import Json
from durun.plugins.api import Action, Output
from durun.plugins.installed import Found

_TYPES: Final = ("string", "integer", "number", "boolean", "array", "object")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS: Final = str(Path(__file__).parent)
_MOST: Final = 300
"""Characters of what an exception says."""


class Unusable(Exception):
    """A plugin can't be used; the text says why, in one line."""


def load_action(found: Found) -> Action:
    """The action itself. Raises Unusable: for whatever its code raises, and for what is no action."""
    made = load(found)
    if isinstance(made, type) and issubclass(made, Action):
        try:
            made = made()
        except BaseException as error:
            raise Unusable(f"{found.entry.value} can't be made: {told(error)}") from None
    if not isinstance(made, Action):
        raise Unusable(f"{found.entry.value} is no durun.plugins.Action, it is of type {type(made).__name__}")
    return made


def load(found: Found) -> Any:
    """What an entry point names. Raises Unusable."""
    try:
        return found.entry.load()
    except BaseException as error:
        raise Unusable(f"{found.entry.value} can't be loaded: {told(error)}") from None


def told(error: BaseException) -> str:
    """An exception in one line, with where in the plugin it was raised."""
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text[:_MOST]}".rstrip(": ")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{said} ({error.filename}:{error.lineno})" if f"({Path(error.filename).name}," not in text else said
    return said + where(error)


def where(error: BaseException) -> str:
    """Where in the plugin an exception was raised, to stand behind it; empty if nobody can tell."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def _is_theirs(file: str) -> bool:
    return not file.startswith(("<", _OURS)) and "/importlib/" not in file


def schema_of(action: Action) -> Mapping[str, Json]:
    """The action's schema of `with`. Raises Unusable if it is none."""
    from jsonschema import Draft202012Validator, SchemaError

    schema = getattr(action, "schema", None)
    if not isinstance(schema, Mapping):
        raise Unusable(f"{type(action).__name__} has no `schema`, a mapping")
    if schema.get("type", "object") != "object":
        raise Unusable(f"the schema of {type(action).__name__} must be of type object")
    if (key := next(_elsewhere(schema), None)) is not None:
        raise Unusable(
            f"the schema of {type(action).__name__} looks elsewhere (`{key}`): only `$ref: '#…'` can be used"
        )
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "the top"
        raise Unusable(f"the schema of {type(action).__name__} is wrong at {where}: {error.message[:_MOST]}") from None
    return {"type": "object", **schema}


def outputs_of(action: Action) -> Mapping[str, Output]:
    """The outputs that the action declares. Raises Unusable."""
    declared = action.outputs
    if not isinstance(declared, Mapping):
        raise Unusable(f"the `outputs` of {type(action).__name__} are no mapping of names to Output")
    for name, output in declared.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Unusable(f"output {name!r} of {type(action).__name__}: a name has letters, digits and _")
        if not isinstance(output, Output) or output.type not in _TYPES or not isinstance(output.secret, bool):
            raise Unusable(f"output `{name}` of {type(action).__name__} is no Output of type {', '.join(_TYPES)}")
    return declared


def verifies(action: Action) -> bool:
    """Whether the action can say whether it is done."""
    return type(action).verify is not Action.verify


def _elsewhere(schema: Json) -> Iterator[str]:
    """Keys by which the library would look for other schemas."""
    pairs = schema.items() if isinstance(schema, Mapping) else enumerate(schema) if isinstance(schema, list) else ()
    for key, value in pairs:
        if key in ("$id", "$dynamicRef") or (key == "$ref" and not str(value).startswith("#")):
            yield str(key)
        if key not in ("enum", "const", "default", "examples"):
            yield from _elsewhere(value)
