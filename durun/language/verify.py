"""Reads `verify`: a command whose exit code answers, or a request whose status does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from durun.language.calls import DEFAULT_SHELL, read_call, what_it_does
from durun.language.diagnostics import Path
from durun.language.http import call_of, read_request, read_statuses
from durun.language.shelf import Shelf
from durun.language.values import Reader
from durun.model.runbook import SAFE_METHODS, Action, Call, Verify
from durun.model.values import Json, Value

if TYPE_CHECKING:
    from durun.model.plugin import Plugin

_WAYS: Final = frozenset({"run", "http", "uses"})
_OF_ANSWERS: Final = frozenset({"done_on", "not_done_on", "shell", "stdin"})
_AROUND: Final = ("env", "secret_files", "working_directory", "timeout")
_OF_COMMANDS: Final = ("shell", "stdin", "secret_files", "working_directory")
_FOLDER: Final = "."
"""What paths in a request are relative to, wherever its step works."""
_NO_NO: Final = 'this verify can never answer "not done"'
_UNKNOWN: Final = "whatever is in neither list is unknown"


def read_verify(
    reader: Reader,
    raw: Mapping[str, Json],
    path: Path,
    step: Call,
    outputs: Mapping[str, str],
    shelf: Shelf,
    brought: Verify | None = None,
) -> Verify | None:
    """A verify with its step's env, secret files, shell and working directory under its own; None: it asks nothing.

    `outputs`: those of the step that an answer's status or headers give (`durun.language.http.sources`). `brought`: the
    question that the step's own action answers, if it does.
    """
    if brought is not None and not _WAYS & raw.keys():
        _refuse(reader, raw, path, _OF_ANSWERS | {"with"}, "has no meaning where the plugin answers itself")
        verify: Verify = brought._replace(call=brought.call._replace(**_surroundings(reader, raw, path)))
        return _finished(reader, raw, path, step, verify)
    kind = what_it_does(reader, raw, path, "verify", "a verify asks one thing", uses=True)
    if kind is None:
        return None
    if kind == "run":
        verify = _by_command(reader, raw, path, step)
    elif kind == "http":
        verify = _by_request(reader, raw, path, step, outputs)
    else:
        verify = _by_plugin(reader, raw, path, step, shelf)
    return _finished(reader, raw, path, step, verify)


def _finished(reader: Reader, raw: Mapping[str, Json], path: Path, step: Call, verify: Verify) -> Verify:
    """With what it has from its step, and when it is asked."""
    settle = reader.duration(raw.get("settle"), (*path, "settle"))
    call = under(step, verify.call)
    return verify._replace(call=call, before=bool(raw.get("before")), after=bool(raw.get("after")), settle=settle)


def own_question(call: Call, plugin: Plugin | None) -> Verify | None:
    """The question that an action from a plugin answers itself, of what it was given; None: it answers none."""
    if plugin is None or not plugin.verifies:
        return None
    return Verify(_asking(call)._replace(timeout=None), not_done_on=(1,))


def under(step: Call, own: Call) -> Call:
    """A call with what it has from its step: env, secret files and working directory, under its own."""
    if own.action.kind == "http":
        step = step._replace(secret_files={}, working_directory=_FOLDER)
    return own._replace(
        env={**_without(step.env, own.secret_files), **own.env},
        secret_files={**_without(step.secret_files, own.env), **own.secret_files},
        working_directory=step.working_directory if own.working_directory is None else own.working_directory,
    )


def _surroundings(reader: Reader, raw: Mapping[str, Json], path: Path) -> dict[str, Any]:
    """What a plugin is asked in: of its own, not of its step."""
    call = read_call(reader, {**{key: raw[key] for key in _AROUND if key in raw}, "run": ""}, path, DEFAULT_SHELL)
    return {key: getattr(call, key) for key in _AROUND}


def _by_plugin(reader: Reader, raw: Mapping[str, Json], path: Path, step: Call, shelf: Shelf) -> Verify:
    from durun.language.plugins import read_used  # few runbooks use plugins

    _refuse(reader, raw, path, _OF_ANSWERS, "has no meaning for a plugin, which answers itself")
    call, plugin = read_used(reader, raw, path, step.shell, shelf)
    if plugin is not None and not plugin.verifies:
        hint = "write `run:` or `http:`, which ask"
        reader.problem(f"{plugin.name} can't say whether it is done", (*path, "uses"), hint)
    return Verify(_asking(call), not_done_on=(1,))


def _asking(call: Call) -> Call:
    return call._replace(action=Action("uses_check", call.action.spec))


def _refuse(reader: Reader, raw: Mapping[str, Json], path: Path, keys: Collection[str], why: str) -> None:
    for key in raw:
        if key in keys:
            reader.problem(f"`{key}` {why}", (*path, key), "remove it", at_key=True)


def _by_command(reader: Reader, raw: Mapping[str, Json], path: Path, step: Call) -> Verify:
    call = read_call(reader, raw, path, step.shell)
    _refuse_negation(reader, raw["run"], (*path, "run"))
    done, not_done = raw.get("done_on", [0]), raw.get("not_done_on", [])
    for key, codes in (("done_on", done), ("not_done_on", not_done)):
        for index, code in enumerate(codes):
            if not isinstance(code, int) or code > 255:
                reader.problem(f"`{code}` is no exit code", (*path, key, index), "exit codes are 0 to 255")
    _check_answers(reader, "exit code", done, not_done, path)
    if not done:
        reader.problem("a verify that can never say done", (*path, "done_on"), "write `done_on: [0]`")
    if not not_done:
        reader.warn(_NO_NO, path, f"add the exit codes that mean so: `not_done_on: [N]`; {_UNKNOWN}", at_key=True)
    return Verify(call, tuple(done), tuple(not_done))


def _by_request(reader: Reader, raw: Mapping[str, Json], path: Path, step: Call, outputs: Mapping[str, str]) -> Verify:
    """The request's worker answers by exit codes of its own."""
    for key in _OF_COMMANDS:
        if key in raw:
            reader.problem(f"`{key}` goes with `run`, not with `http`", (*path, key), at_key=True)
    for key in ("expect_status", "ambiguous_status"):
        if key in raw["http"]:
            hint = "write `done_on:` and `not_done_on:` beside `http`"
            reader.problem(f"`{key}` has no meaning in a verify", (*path, "http", key), hint, at_key=True)
    done, not_done = raw.get("done_on", ["2xx"]), raw.get("not_done_on", [])
    for key, statuses in (("done_on", done), ("not_done_on", not_done)):
        for index, status in enumerate(statuses):
            if isinstance(status, int) and status < 100:
                reader.problem(f"`{status}` is no status", (*path, key, index), "statuses are 100 to 599, or 2xx")
    _check_answers(reader, "status", done, not_done, path)
    if not done:
        reader.problem("a verify that can never say done", (*path, "done_on"), "write `done_on: [200]`")
    if not not_done:
        reader.warn(_NO_NO, path, f"add the statuses that mean so: `not_done_on: [404]`; {_UNKNOWN}", at_key=True)
    if raw["http"].get("method", "GET") not in SAFE_METHODS:
        hint = "leave it, if the other side takes this one for a question; it gets no Idempotency-Key"
        reader.warn("a verify only asks, and this method changes something", (*path, "http", "method"), hint)
    asks = {"done": read_statuses(done), "not_done": read_statuses(not_done)}
    action = read_request(reader, {"url": "", **raw["http"]}, (*path, "http"), outputs=outputs, asks=asks)
    return Verify(call_of(reader, action, raw, path, step.shell, None), not_done_on=(1,))


def _check_answers(reader: Reader, name: str, done: list[Json], not_done: list[Json], path: Path) -> None:
    both = [code for code in done if code in not_done]
    if both:
        reader.problem(f"{name} {both[0]} can't mean both done and not done", (*path, "not_done_on"))


def _without(given: Mapping[str, Value], names: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in given.items() if name not in names}


def _refuse_negation(reader: Reader, run: Json, path: Path) -> None:
    first = run.split(maxsplit=1)[0] if isinstance(run, str) and run.split() else ""
    if isinstance(run, list):
        first, path = run[0], (*path, 0)
    if first == "!":
        hint = "leave the ! away and say which exit codes mean what: `done_on: [1]`, `not_done_on: [0]`"
        reader.problem('a leading ! turns "could not ask" into "done"', path, hint, "!")
