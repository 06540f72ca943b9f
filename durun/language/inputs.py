"""The inputs of a run: from the command line and a file to checked values, or every problem at once.

Inputs reach a step literally, as `INPUT_<NAME>` in its environment, so what no environment can carry is
refused here and not when the step is started. Secret ones don't, and come on ways that nobody else can watch.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from durun.errors import InvalidInput, typed
from durun.language.data import NotData, parse_json, read_data
from durun.language.diagnostics import did_you_mean
from durun.language.fitting import as_declared, problems_with, variable_size
from durun.language.plain import kind_of
from durun.model.runbook import Input, Runbook
from durun.model.values import Json

MAX_VARIABLES = 1024 * 1024
"""Bytes of all inputs together; Linux gives argv and environment 2 MiB by default, and the step needs some."""
MAX_FILE = 16 * 1024 * 1024


class Given(NamedTuple):
    """The values of a run's inputs; those that are secret by themselves, to be sealed and never shown."""

    plain: dict[str, Json]
    secret: dict[str, Json]


def given_inputs(
    pairs: Sequence[str],
    file_values: Mapping[str, Json] | None,
    runbook: Runbook,
    answers: Mapping[str, str] | None = None,
) -> Given:
    """The values of all inputs: `NAME=VALUE` pairs over the file's over the defaults, checked.

    A pair's value is literal where the input is a string, else JSON. The last pair of a name counts; a secret input
    can't be given by one, only by the file or by `answers`, texts that were asked for. Inputs that are neither given
    nor have a default are absent. Raises InvalidInput with every problem.
    """
    problems: list[str] = []
    given: dict[str, Json] = dict(file_values or {})
    for name, text in (answers or {}).items():
        given[name] = _from_text(name, text, runbook.inputs[name], problems)
    given |= _typed(pairs, runbook, problems)
    unreadable = {name for name, value in given.items() if value is _UNREADABLE}
    problems += _unknown(given, runbook)
    found = Given({}, {})
    for name, declared in runbook.inputs.items():
        values = found.secret if declared.secret else found.plain
        if name in given and name not in unreadable:
            values[name] = as_declared(given[name], declared)
            problems += (f"input `{name}` {why}" for why in problems_with(name, given[name], declared))
        elif name not in given and declared.has_default:
            values[name] = as_declared(declared.default, declared)
        elif name not in given and declared.required:
            problems.append(f"input `{name}` is missing{_described(declared)}")
    if problems := problems or _too_much(found.plain):
        raise _refusal(list(dict.fromkeys(problems)), runbook)
    return found


def _typed(pairs: Sequence[str], runbook: Runbook, problems: list[str]) -> dict[str, Json]:
    """What stands behind `-i`; what is wrong with it is added to the problems."""
    given: dict[str, Json] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            problems.append(f"`{_short(pair)}` is not NAME=VALUE")
        elif name not in runbook.inputs:
            given[name] = text
        elif runbook.inputs[name].secret:
            problems.append(f"input `{name}` is secret, and everybody can read what is typed behind -i")
            given[name] = _UNREADABLE
        else:
            given[name] = _from_text(name, text, runbook.inputs[name], problems)
    return given


def _too_much(values: Mapping[str, Json]) -> list[str]:
    """What is wrong if these inputs, each of which is a variable of every step, are too big together."""
    if sum(variable_size(*item) for item in values.items()) <= MAX_VARIABLES:
        return []
    return [f"the inputs together have more than {MAX_VARIABLES:,} bytes; give the big ones as files"]


def missing_inputs(runbook: Runbook, given: Mapping[str, Json]) -> list[str]:
    """The inputs that a run can't do without and that are not given; a secret one can still be asked for."""
    return [name for name, one in runbook.inputs.items() if one.required and not one.secret and name not in given]


def fitting_inputs(values: Mapping[str, Json], declared: Mapping[str, Input]) -> dict[str, Json]:
    """The inputs of an included runbook that was given these values, secret ones among them, over the defaults.

    Raises InvalidInput with every problem, in one line.
    """
    problems: list[str] = []
    found: dict[str, Json] = {}
    for name, one in declared.items():
        if name in values:
            found[name] = as_declared(values[name], one)
            problems += (f"input `{name}` {why}" for why in problems_with(name, values[name], one))
        elif one.has_default:
            found[name] = as_declared(one.default, one)
    plain = {name: value for name, value in found.items() if not declared[name].secret}
    if problems := problems or _too_much(plain):
        raise InvalidInput("; ".join(problems), "correct the `inputs` of the step that includes the runbook")
    return found


def to_ask(file_values: Mapping[str, Json] | None, runbook: Runbook) -> dict[str, Input]:
    """The secret inputs that a run can't do without and nobody has given: whoever sits at a terminal is asked."""
    declared = runbook.inputs.items()
    return {name: one for name, one in declared if one.secret and one.required and name not in (file_values or {})}


_UNREADABLE = object()


def _from_text(name: str, text: str, declared: Input, problems: list[str]) -> Any:
    if declared.is_string:
        return text
    try:
        return parse_json(text)
    except NotData:
        shown = "what was given" if declared.secret else f"`{_short(text)}`"
        problems.append(f"input `{name}` must be {_wanted(declared)}, written as JSON; {shown} is not JSON")
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


_WAYS = "give inputs with -i NAME=VALUE or --inputs FILE"
_A_FILE = "name a YAML or JSON file that has a line `name: value` for each input"
_AS_JSON = {"array": """'["a", "b"]'""", "object": """'{"a": 1}'""", "integer": "3", "number": "1.5", "boolean": "true"}
_SECRET_WAYS = "a secret input is asked for at a terminal, or comes by --inputs - or a file that only you can read"


def _refusal(problems: list[str], runbook: Runbook) -> InvalidInput:
    lacking = {problem.split("`")[1] for problem in problems if " is missing" in problem or " behind -i" in problem}
    secret = {name for name in lacking if name in runbook.inputs and runbook.inputs[name].secret}
    hint = "; ".join(way for way, names in ((_WAYS, lacking - secret), (_SECRET_WAYS, secret)) if names)
    hint = hint or _example(problems, runbook)
    if len(problems) == 1:
        return InvalidInput(problems[0], hint)
    lines = "".join(f"\n  {problem}" for problem in problems)
    return InvalidInput(f"{len(problems)} things are wrong with the inputs:{lines}", hint)


def _example(problems: list[str], runbook: Runbook) -> str:
    """How a value of the first wrong type is typed; else how inputs are given."""
    for name, declared in runbook.inputs.items():
        written = _AS_JSON.get(str(declared.schema.get("type")))
        if written and any(f"`{name}` must be " in problem for problem in problems):
            return f"for example: -i {name}={written}"
    return _WAYS


def read_inputs_file(path: str, runbook: Runbook) -> dict[str, Json]:
    """The inputs in a YAML or JSON file; `-` is standard input. Raises InvalidInput.

    A file that gives secret inputs must be nobody else's to read.
    """
    shown = "standard input" if path == "-" else path
    try:
        raw, open_to = _read(path)
    except OSError as error:
        raise InvalidInput(f"{shown} can't be read: {os.strerror(error.errno or 0)}", _A_FILE) from error
    if len(raw) > MAX_FILE:
        problem = f"{shown} is larger than {MAX_FILE // 1024 // 1024} MiB"
        raise InvalidInput(problem, "give what is big as a file, and its path as an input")
    if not raw.strip():
        raise InvalidInput(f"{shown} is empty", _A_FILE)
    try:
        values = read_data(raw, shown)
    except NotData as error:
        raise InvalidInput(f"{shown}: {error.message}", error.hint) from error
    if not isinstance(values, dict):
        problem = f"{shown} must be a mapping of input names to values, and is of type {kind_of(values)}"
        raise InvalidInput(problem, _A_FILE)
    secret = [name for name in values if name in runbook.inputs and runbook.inputs[name].secret]
    if secret and open_to:
        raise InvalidInput(f"{shown} gives the secret input `{secret[0]}` and {open_to}", f"chmod 600 {typed(shown)}")
    return values


def _read(path: str) -> tuple[bytes, str]:
    """What is in the file, and who else may have read it (or nothing)."""
    if path == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1), ""
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        raw = file.read(MAX_FILE + 1)
    if status.st_uid != os.geteuid():
        return raw, f"belongs to another user (uid {status.st_uid})"
    mode = stat.S_IMODE(status.st_mode)
    return raw, f"is open to other users (mode {mode:04o})" if mode & 0o077 else ""


def digest_of(inputs: Mapping[str, Json]) -> str:
    """SHA-256, in hex, of inputs (those that are not secret) as canonical JSON (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
