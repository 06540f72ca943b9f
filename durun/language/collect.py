"""Reads `collect`: files, or what a command or a server gives, as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from durun.language.diagnostics import Path
from durun.language.http import is_safe
from durun.language.values import Reader
from durun.model.runbook import Action, Call, Shell
from durun.model.values import Json

FILES: Final = "files"
_KINDS: Final = (FILES, "run", "http")
_OF_ALL: Final = frozenset({"timeout", "retry", "on_in_doubt", "idempotent"})
_OF_CALLS: Final = frozenset({"env", "inherit_env", "verify"})
_PERMITTED: Final[Mapping[str, frozenset[str]]] = {
    FILES: _OF_ALL | {"working_directory"},
    "http": _OF_ALL | _OF_CALLS,
    "run": _OF_ALL
    | _OF_CALLS
    | {"working_directory", "shell", "stdin", "secret_files", "ok_exit_codes", "ambiguous_exit_codes"},
}
"""What each kind permits beside the keys of every step."""
ALSO: Final = _PERMITTED["run"]


class Collected(NamedTuple):
    """What is collected: its kind (`files`, `run`, `http`), and the name of the evidence."""

    kind: str
    name: str
    repeatable: bool


def read_collect(reader: Reader, raw: Json, beside: Mapping[str, Json], path: Path) -> Collected:
    """What stands under `collect`, at `path`; `beside` is the step. What can be read again without harm is
    repeatable."""
    raw = raw if isinstance(raw, dict) else {}
    given = [kind for kind in _KINDS if kind in raw]
    if len(given) != 1:
        hint = "write `files: [GLOB, …]`, or `run:` or `http:` with `as: NAME`"
        reader.problem("`collect` needs exactly one of `files`, `run` and `http`", path, hint, at_key=True)
    kind = given[0] if given else FILES
    if kind == FILES and "as" in raw:
        hint = "each file is evidence under its own path"
        reader.problem("`as` goes with `run` and `http`, not with `files`", (*path, "as"), hint, at_key=True)
    if kind != FILES and "as" not in raw:
        hint = "write `as: NAME`; later steps read it as steps.ID.evidence['NAME'].path"
        reader.problem(f"what `{kind}` gives needs a name", path, hint, at_key=True)
    for key in sorted(ALSO - _PERMITTED[kind]):
        if key in beside:
            reader.problem(f"`{key}` has no meaning for files that are collected", (*path[:-1], key), at_key=True)
    name = FILES if kind == FILES else str(raw.get("as") or "evidence")
    return Collected(kind, name, kind == FILES or (kind == "http" and is_safe(raw.get("http"))))


def files_call(reader: Reader, item: Mapping[str, Json], path: Path, shell: Shell, timeout: Json) -> Call:
    """Files that are to be taken. `timeout` is the default one."""
    globs = reader.value((item.get("collect") or {}).get(FILES, []), (*path, "collect", FILES))
    return Call(
        Action("collect", {FILES: globs}),
        shell,
        working_directory=reader.value(item.get("working_directory"), (*path, "working_directory")),
        timeout=reader.duration(item.get("timeout", timeout), (*path, "timeout")),
    )
