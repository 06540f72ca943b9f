"""Reads `rollback`, how a step is undone, as a step of its own; and `privileged`, when that is due by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from durun.language.calls import read_call, what_it_does
from durun.language.diagnostics import Path, did_you_mean
from durun.language.graph import Graph
from durun.language.http import call_of, is_safe, read_request
from durun.language.places import steps_with_paths
from durun.language.retry import read_retry
from durun.language.shelf import Shelf
from durun.language.values import Reader
from durun.language.verify import own_question, read_verify, under
from durun.model.runbook import Call, Rollback, Runbook, Step
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.model.plugin import Plugin


def read_rollback(
    reader: Reader,
    raw: Mapping[str, Json],
    path: Path,
    step: Step,
    timeout: Json,
    retry: Mapping[str, Json],
    shelf: Shelf,
) -> Rollback | None:
    """What undoes a step, with the step's env, secret files, shell and working directory under its own.

    `timeout` and `retry` are the default ones. None: it does nothing.
    """
    # What does nothing leaves nothing to undo, whatever stands here.
    does = raw if step.call is not None else {}
    kind = what_it_does(reader, does, path, "rollback", "a rollback does one thing", uses=True)
    if kind is None or step.call is None:
        return None
    repeatable, brought = kind == "http" and is_safe(raw["http"]), None
    if kind == "uses":
        call, plugin = _by_plugin(reader, raw, path, step.call, timeout, shelf)
        repeatable = plugin is not None and plugin.idempotent
        brought = own_question(call, plugin)
    else:
        repeated = bool(raw.get("idempotent", repeatable))
        call = under(step.call, _call(reader, raw, path, step.call, timeout, repeatable=repeated))
    idempotent, verify = raw.get("idempotent", repeatable), brought
    if "verify" in raw:
        verify = read_verify(reader, raw["verify"], (*path, "verify"), call, {}, shelf, brought)
    ttl = idempotent.get("ttl") if isinstance(idempotent, dict) else None
    undoing = Step(
        id="",
        line=reader.locator.line(path),
        call=call,
        retry=read_retry(reader, {**retry, **raw.get("retry", {})}, (*path, "retry")),
        verify=verify,
        idempotent=bool(idempotent),
        idempotent_ttl=None if ttl is None else reader.seconds(ttl, (*path, "idempotent", "ttl")),
        on_in_doubt="verify" if verify is not None else "rerun" if idempotent else "ask",
        inherit_env=step.inherit_env,
        redact=step.redact,
    )
    return Rollback(undoing, tuple(raw.get("when", ("succeeded",))))


def as_privilege(reader: Reader, rollback: Rollback, raw: Json, path: Path) -> Rollback:
    """The rollback of a privilege, with when that ends; whether there is such a step is checked once all are known."""
    if not isinstance(raw, dict) or not {"until", "max"} <= raw.keys():
        return rollback
    return rollback._replace(until=raw["until"], most=reader.duration(raw["max"], (*path, "max")))


def check_privileged(reader: Reader, runbook: Runbook) -> None:
    """Note every privilege that does not end with a later step."""
    graph: Graph | None = None
    for path, step in steps_with_paths(runbook):
        if step.rollback is None or step.rollback.until is None:
            continue
        graph, until, at = graph or Graph(runbook), step.rollback.until, (*path, "privileged", "until")
        if until not in graph.steps:
            hint = did_you_mean(until, graph.steps) or "name a later step"
            reader.problem(f"there is no step `{until}`", at, hint)
        elif graph.final(until) or not graph.comes_before(step.id, until):
            hint = "name a step that needs this one: what is granted is taken back when that has ended"
            reader.problem(f"`{until}` is no later step under `steps`", at, hint)


def _by_plugin(
    reader: Reader, raw: Mapping[str, Json], path: Path, step: Call, timeout: Json, shelf: Shelf
) -> tuple[Call, Plugin | None]:
    from durun.language.plugins import read_used  # few runbooks use plugins

    for key in ("shell", "stdin"):
        if key in raw:
            reader.problem(f"`{key}` goes with `run`, not with `uses`", (*path, key), at_key=True)
    call, plugin = read_used(reader, raw, path, step.shell, shelf, timeout, gives=False)
    return under(step, call), plugin


def _call(reader: Reader, raw: Mapping[str, Json], path: Path, step: Call, timeout: Json, *, repeatable: bool) -> Call:
    if "run" in raw:
        return read_call(reader, raw, path, step.shell, timeout)
    for key in ("shell", "stdin", "secret_files", "working_directory"):
        if key in raw:
            reader.problem(f"`{key}` goes with `run`, not with `http`", (*path, key), at_key=True)
    action = read_request(reader, {"url": "", **raw["http"]}, (*path, "http"), repeatable=repeatable)
    return call_of(reader, action, raw, path, step.shell, timeout)
