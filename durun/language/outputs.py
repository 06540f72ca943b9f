"""What a step has given: from `$DURUN_OUTPUT` and stdout to checked values, or every problem at once.

A step that did its work but gave the wrong outputs has failed: later steps would read what is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from durun.errors import DurunError
from durun.language.data import NotData, parse_json
from durun.language.plain import kind_of
from durun.model.runbook import Output
from durun.model.values import Json

MAX_OUTPUT = 1024 * 1024
"""Bytes of one output."""
MAX_STDOUT = 16 * 1024 * 1024
"""Bytes of a stdout from which `json:` picks."""

_TELLING = 8
"""Characters of a line that is worth hiding: shorter ones, such as `true`, stand in many texts."""
REASON = "DURUN_REASON"
"""What a process writes to `$DURUN_OUTPUT` to say why it fails, or can't tell; it is no output."""
MAX_REASON = 500
STATUS = "DURUN_STATUS"
"""What a request that asks writes there: the status that it was answered."""

_LINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_-]{0,63})\s*(=|<<)(.*)", re.DOTALL)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class OutputError(DurunError):
    """The outputs of a step are not those that it declares."""

    code = "outputs"


class _Bad(Exception):
    """One output can't be had; the text completes "output `x` …"."""


def collect_outputs(
    declared: Mapping[str, Output], output_file: bytes, stdout: bytes, *, private: bool = False
) -> dict[str, Json]:
    """The values of the declared outputs. `output_file` is what a script has written to `$DURUN_OUTPUT`.

    A line is `name=value`; or `name<<END`, then the value's lines, then `END`. The last value of a name
    counts; blank lines are dropped. Raises OutputError naming every undeclared, missing, wrong or too big one. With
    `private` it names no undeclared one: that may be a piece of a secret that was written without `<<`.
    """
    problems: list[str] = []
    written = _read_file(output_file, problems, declared if private else None)
    for name in written:
        if name in (REASON, STATUS):
            continue
        if name not in declared:
            told = "an output in $DURUN_OUTPUT" if private else f"output `{name}`"
            problems.append(f"{told} is not declared")
        elif declared[name].source == "stdout":
            problems.append(f"output `{name}` was written to $DURUN_OUTPUT, and is declared to come from stdout")
    values: dict[str, Json] = {}
    page = _Stdout(stdout)
    for name, output in declared.items():
        try:
            values[name] = _one(name, output, written, page)
        except _Bad as error:
            problems.append(f"output `{name}` {error}")
    if problems:
        raise OutputError("; ".join(problems), _HINT)
    return values


def said_reason(output_file: bytes) -> str:
    """The reason that a process has written for its end; empty if it gave none."""
    text = _read_file(output_file, []).get(REASON, "")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_REASON]


def said_status(output_file: bytes) -> int | None:
    """The status of an answer that a request has written; None if it wrote none."""
    text = _read_file(output_file, []).get(STATUS, "")
    return int(text) if text.isascii() and text.isdigit() else None


def likely_values(declared: Mapping[str, Output], output_file: bytes, stdout: bytes) -> list[Json]:
    """Everything that secret outputs may be in what a step left that did not give them well: never too little.

    The values as they were written, lines that are of no declared output, and what can be read of stdout if one was to
    come from there.
    """
    secret = {name for name, output in declared.items() if output.secret}
    problems: list[str] = []
    written = _read_file(output_file, problems)
    found: list[Json] = [value for name, value in written.items() if name in secret]
    if problems or written.keys() - declared.keys() - {REASON, STATUS}:
        lines = output_file.decode("utf-8", "replace").split("\n")
        left = [line.strip() for line in lines if _split(line)[0] not in declared]
        found += [text for line in left for text in {line, line.rstrip("=")} if len(text) >= _TELLING]
    if any(declared[name].source == "stdout" for name in secret):
        page = _Stdout(stdout)
        with suppress(_Bad):
            found.append(page.text())
            found.append(page.page())
    return found


def output_from_text(name: str, output: Output, text: str) -> Json:
    """The value that `name=text` in `$DURUN_OUTPUT` would give. Raises OutputError."""
    try:
        return _read(text, output)
    except _Bad as error:
        raise OutputError(f"output `{name}` {error}") from error


_HINT = 'declare it under `outputs`, and write it in the script with: echo "name=value" >> "$DURUN_OUTPUT"'


def _read_file(raw: bytes, problems: list[str], shown: Collection[str] | None = None) -> dict[str, str]:
    """Name → text. `shown`: the names that a problem may tell, None for all."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.append(f"$DURUN_OUTPUT is not UTF-8 at byte {error.start}")
        return {}
    found: dict[str, str] = {}
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        name, mark, rest = _split(line)
        if mark == "=":
            found[name] = rest
        elif mark == "<<":
            value = _until(rest, lines)
            if value is None:
                told = f" of `{name}`" if shown is None or name in shown else ""
                problems.append(f"$DURUN_OUTPUT line {number}: the value{told} has no line that ends it")
            else:
                found[name] = value
        elif line.strip():
            problems.append(f"$DURUN_OUTPUT line {number} is neither name=value nor name<<END")
    return found


def _split(line: str) -> tuple[str, str, str]:
    """Name, `=` or `<<` (whichever comes first, empty for neither), and what follows.

    What can't be a name is none: the line may be of a private value that was written without `<<`.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        return "", "", ""
    name, mark, rest = match.groups()
    if mark == "=":
        return name, mark, rest
    return (name, mark, rest.strip()) if rest.strip() else ("", "", "")


def _until(end: str, lines: Any) -> str | None:
    kept: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(kept)
        kept.append(line)
    return None


class _Stdout:
    """A step's stdout, decoded and parsed once, when an output asks for it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._text: str | None = None
        self._page: list[Json] = []

    def text(self) -> str:
        """Trimmed."""
        if self._text is None:
            try:
                self._text = self._raw.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise _Bad(f"can't be read: stdout is not UTF-8 at byte {error.start}") from None
        return self._text

    def page(self) -> Json:
        """As JSON."""
        if not self._page:
            if len(self._raw) > MAX_STDOUT:
                raise _Bad(f"can't be picked: stdout has more than {MAX_STDOUT // 1024 // 1024} MiB")
            try:
                self._page.append(parse_json(self.text()))
            except NotData as error:
                raise _Bad(f"can't be picked: stdout is {error.message}") from error
        return self._page[0]


def _one(name: str, output: Output, written: Mapping[str, str], stdout: _Stdout) -> Json:
    if output.json is not None:
        return _typed(_picked(output.json, stdout.page()), output)
    if output.source == "stdout":
        return _read(stdout.text(), output)
    if name in written:
        return _read(written[name], output)
    raise _Bad("is missing")


def _read(text: str, output: Output) -> Json:
    if len(text.encode()) > MAX_OUTPUT:
        raise _Bad("is bigger than 1 MiB; leave it as a file in $DURUN_EVIDENCE instead")
    if "\0" in text:
        raise _Bad("holds a NUL character")
    return text if output.type == "string" else _typed(_as_json(text, output), output)


def _as_json(text: str, output: Output) -> Json:
    try:
        return parse_json(text)
    except NotData as error:
        raise _Bad(f"must be of type {output.type}, and is {error.message}") from error


def _picked(path: str, page: Json) -> Json:
    import jmespath  # only a `json:` pick needs it
    from jmespath.exceptions import JMESPathError

    try:
        value = jmespath.search(path, page)
    except JMESPathError as error:
        raise _Bad(f"can't be picked with `{path}`: {' '.join(str(error).split())}") from error
    if value is None:
        raise _Bad(f"is missing: there is nothing at `{path}` in the JSON on stdout")
    return value


def _typed(value: Json, output: Output) -> Json:
    allowed = _TYPES[output.type]
    whole = output.type == "integer" and isinstance(value, float) and value.is_integer()
    if whole:
        return int(value)
    if not isinstance(value, allowed) or (isinstance(value, bool) and output.type != "boolean"):
        raise _Bad(f"must be of type {output.type}, and is of type {kind_of(value)}")
    return _bounded(value)


def _bounded(value: Json) -> Json:
    if len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) > MAX_OUTPUT:
        raise _Bad("is bigger than 1 MiB; leave it as a file in $DURUN_EVIDENCE instead")
    return value
