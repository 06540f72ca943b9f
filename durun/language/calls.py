"""Reads `run` with its surroundings: in a step, in `verify`, in `targets`; and the other calls of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durun.language.diagnostics import Path
from durun.language.scripts import read_script
from durun.language.values import Reader
from durun.model.runbook import (
    Action,
    Call,
    Shell,
    TargetsFile,
    TargetsMatrix,
    TargetSource,
    TargetsRun,
    TargetsValue,
)
from durun.model.values import Json, Value

SHELLS: Final[Mapping[str, Shell]] = {
    "bash": Shell(("bash", "--noprofile", "--norc", "-euo", "pipefail", "{0}"), ".sh"),
    "sh": Shell(("sh", "-eu", "{0}"), ".sh"),
    "python": Shell(("python3", "{0}"), ".py"),
}
DEFAULT_SHELL: Final = SHELLS["bash"]


def read_shell(reader: Reader, raw: Json, path: Path, inherited: Shell) -> Shell:
    """What reads the scripts; an argv must say where the script's path goes."""
    if raw is None:
        return inherited
    if isinstance(raw, str):
        return SHELLS[raw]
    if not any("{0}" in word for word in raw):
        reader.problem("a shell must say with {0} where the script's path goes", path, f"write {_with_path(raw)}")
        return inherited
    python = any(word.rsplit("/", 1)[-1].startswith("python") for word in raw)
    return Shell(tuple(raw), ".py" if python else ".sh")


def _with_path(words: list[str]) -> str:
    return f"[{', '.join(words)}, '{{0}}']"


def read_run(reader: Reader, raw: Json, path: Path, shell: Shell) -> Action:
    """A script, or an argv whose words may hold expressions (never as the name of an option's program)."""
    if isinstance(raw, str):
        return Action("run", read_script(reader, raw, path, python=shell.suffix == ".py"))
    words = [word if isinstance(word, str) else _as_text(word) for word in raw]
    if words[0] == "":
        reader.problem("a command needs a name", (*path, 0))
    return Action("run", reader.value(words, path))


def _as_text(word: Json) -> str:
    return str(word).lower() if isinstance(word, bool) else str(word)


def read_call(
    reader: Reader, raw: Mapping[str, Json], path: Path, shell: Shell, timeout: Json = None, inside: Path = ()
) -> Call:
    """The `run` of a step, verify or targets with what stands beside it. `timeout` is the default one.

    `inside` leads from there to where the `run` itself stands, if that is not beside them.
    """
    own_shell = read_shell(reader, raw.get("shell"), (*path, "shell"), shell)
    env = reader.env(raw.get("env", {}), (*path, "env"))
    secret_files = reader.env(raw.get("secret_files", {}), (*path, "secret_files"))
    for name in secret_files.keys() & env.keys():
        hint = "the variable holds the value, or names the file: remove one of the two"
        reader.problem(f"`{name}` stands in `env` too", (*path, "secret_files", name), hint, at_key=True)
    return Call(
        action=read_run(reader, raw["run"], (*path, *inside, "run"), own_shell),
        shell=own_shell,
        env=env,
        stdin=reader.value(raw.get("stdin"), (*path, "stdin")),
        working_directory=reader.value(raw.get("working_directory"), (*path, "working_directory")),
        timeout=reader.duration(raw.get("timeout", timeout), (*path, "timeout")),
        secret_files=secret_files,
    )


def read_keyring(reader: Reader, raw: Mapping[str, Json], path: Path, shell: Shell, timeout: Json) -> Call:
    """A change of the keyring. `timeout` is the default one."""
    spec = {verb: reader.value(details, (*path, "secret", verb)) for verb, details in raw.get("secret", {}).items()}
    limit = reader.duration(raw.get("timeout", timeout), (*path, "timeout"))
    return Call(Action("secret", spec), shell, timeout=limit)


_SURROUNDINGS = ("env", "shell", "stdin", "working_directory", "timeout")


def read_targets(reader: Reader, raw: Json, path: Path, shell: Shell) -> TargetSource:
    """A list, an expression, `{file}`, `{run}` or `{matrix}`."""
    if not isinstance(raw, dict):
        return TargetsValue(reader.value(raw, path))
    given = [key for key in ("file", "run", "matrix") if key in raw]
    if len(given) != 1:
        reader.problem("`targets` needs exactly one of `file`, `run` and `matrix`", path, at_key=True)
    if "run" in raw:
        return TargetsRun(read_call(reader, raw, path, shell))
    for key in _SURROUNDINGS:
        if key in raw and given:
            reader.problem(f"`{key}` goes with `run`, not with `{given[0]}`", (*path, key), at_key=True)
    if "file" in raw:
        return TargetsFile(reader.value(raw["file"], (*path, "file")))
    return TargetsMatrix(_axes(reader, raw.get("matrix", {}), (*path, "matrix")))


def _axes(reader: Reader, raw: Mapping[str, Json], path: Path) -> dict[str, Value]:
    return {name: reader.value(values, (*path, name)) for name, values in raw.items()}


def what_it_does(
    reader: Reader, raw: Mapping[str, Json], path: Path, name: str, says: str, *, uses: bool = False
) -> str | None:
    """`run`, `http` or, if that is possible, `uses`: which stands under the key `name`; None for none.

    Notes that, and when several do. `says` is what one of its kind says: `a verify asks one thing`.
    """
    ways = ("run", "http", "uses") if uses else ("run", "http")
    given = [key for key in ways if key in raw]
    if "with" in raw and "uses" not in raw:
        reader.problem("`with` goes with `uses`", (*path, "with"), "write `uses: NAME` beside it", at_key=True)
    if not given:
        needs = "`run:`, `http:` or `uses:`" if uses else "`run:` or `http:`"
        reader.problem(f"`{name}` needs {needs}", path, "write `run:`, or `http: {url: …}`", at_key=True)
        return None
    if len(given) > 1:
        message = f"{says}, and this one has `{given[0]}` and `{given[1]}`"
        reader.problem(message, (*path, given[1]), "keep one of them", at_key=True)
    return given[0]
