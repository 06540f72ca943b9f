"""Reads `wait_for`: a probe that is asked again and again, what its answer must be, how often and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durun.language.calls import read_call, what_it_does
from durun.language.diagnostics import Path
from durun.language.http import call_of, read_request, sources
from durun.language.values import Reader
from durun.model.runbook import SAFE_METHODS, Poll, Shell
from durun.model.values import Json, Value

KEY: Final = "wait_for"
_EVERY: Final = "10s"
_OF_COMMANDS: Final = ("shell", "stdin", "secret_files", "working_directory")
_ASKS: Final = {"done": ("2xx",), "not_done": ("4xx", "5xx")}
"""Every one of them is an answer. The worker must not wait for what a server promises for later: we ask again."""


def read_rhythm(reader: Reader, raw: Mapping[str, Json], path: Path, timeout: Json) -> dict[str, Value]:
    """How often to ask, and for how long; `timeout` is the default one."""
    every = reader.duration(raw.get("every", _EVERY), (*path, KEY, "every"))
    limit = reader.duration(raw.get("timeout", timeout), (*path, KEY, "timeout"))
    if limit is None:
        hint = "write `timeout: 30m`: when that time is over the step fails"
        reader.warn("this `wait_for` may wait for ever", (*path, KEY), hint, at_key=True)
        return {"every": every}
    return {"every": every, "timeout": limit}


def read_poll(reader: Reader, item: Mapping[str, Json], path: Path, shell: Shell) -> Poll | None:
    """What a step that stands at `path` asks; None: nothing. Its env and the like stand beside `wait_for`."""
    raw: Mapping[str, Json] = item.get(KEY, {})
    at = (*path, KEY)
    kind = what_it_does(reader, raw, at, KEY, "a `wait_for` asks one thing")
    if kind is None:
        return None
    if kind == "run":
        surroundings = {key: value for key, value in item.items() if key != "timeout"}
        call = read_call(reader, {**surroundings, "run": raw["run"]}, path, shell, inside=(KEY,))
        poll = Poll(call)
    else:
        poll = _by_request(reader, item, path, shell)
    until, fail_when = (
        reader.condition(raw[key], (*at, key)) if key in raw else None for key in ("until", "fail_when")
    )
    return poll._replace(until=until, fail_when=fail_when)


def _by_request(reader: Reader, item: Mapping[str, Json], path: Path, shell: Shell) -> Poll:
    raw, at = item[KEY]["http"], (*path, KEY, "http")
    for key in _OF_COMMANDS:
        if key in item:
            reader.problem(f"`{key}` goes with `run`, not with `http`", (*path, key), at_key=True)
    for key in ("expect_status", "ambiguous_status"):
        if key in raw:
            hint = "write `until:`, such as `result.status == 200`"
            reader.problem(f"`{key}` has no meaning in a `wait_for`", (*at, key), hint, at_key=True)
    if raw.get("method", "GET") not in SAFE_METHODS:
        hint = "leave it, if the other side takes this one for a question; it gets no Idempotency-Key"
        reader.warn("a `wait_for` only asks, and this method changes something", (*at, "method"), hint)
    outputs = item.get("outputs", {})
    action = read_request(reader, {"url": "", **raw}, at, outputs=sources(outputs), asks=_ASKS)
    return Poll(call_of(reader, action, {"env": item.get("env", {})}, path, shell, None))
