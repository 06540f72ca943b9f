"""Reads `notify`: whom to tell, of what, and by which program, server or service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

from durun.language.calls import read_call
from durun.language.diagnostics import Path
from durun.language.http import call_of, read_request
from durun.language.values import Reader
from durun.model.runbook import Action, Call, Notice, Shell
from durun.model.values import Json

_WAYS: Final = ("run", "http", "apprise")
_LIBRARY: Final = "apprise"


def read_notices(reader: Reader, raw: Sequence[Mapping[str, Json]], shell: Shell) -> tuple[Notice, ...]:
    """The notices of a runbook; what reads a script is `shell` if nothing else is said."""
    return tuple(_notice(reader, item, ("notify", index), shell) for index, item in enumerate(raw))


def _notice(reader: Reader, item: Mapping[str, Json], path: Path, shell: Shell) -> Notice:
    given = [key for key in _WAYS if key in item]
    if not given:
        hint = "write `run:`, `http: {url: …}`, or `apprise: URL`"
        reader.problem("a notice needs `run:`, `http:` or `apprise:`", path, hint, at_key=True)
    for second in given[1:]:
        message = f"a notice goes one way, and this one has `{given[0]}` and `{second}`"
        reader.problem(message, (*path, second), "make it two", at_key=True)
    for key in ("shell",):
        if key in item and given[:1] != ["run"]:
            reader.problem(f"`{key}` goes with `run`", (*path, key), at_key=True)
    return Notice(tuple(item.get("events", ())), _call(reader, item, path, shell, given[0] if given else "run"))


def _call(reader: Reader, item: Mapping[str, Json], path: Path, shell: Shell, way: str) -> Call:
    if way == "run":
        return read_call(reader, {"run": "", **item}, path, shell)
    if way == "http":
        raw = {"url": "", "method": "POST", **item["http"]}
        action = read_request(reader, raw, (*path, "http"), repeatable=True)
    else:
        action = Action("apprise", {"urls": reader.value(item["apprise"], (*path, "apprise"))})
        if find_spec(_LIBRARY) is None:
            reader.warn("`apprise` is not installed here", (*path, way), "pip install 'durun[notify]'", at_key=True)
    return call_of(reader, action, item, path, shell, None)
