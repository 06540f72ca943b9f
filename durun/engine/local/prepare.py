"""From a task to what is to be started for it: its conditions, its rendered command, its environment."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durun.actions.api import Process, Work
from durun.actions.table import ACTIONS
from durun.engine.local.files import FOLDER
from durun.engine.local.surroundings import base_environment, inherited_names
from durun.engine.values import Values
from durun.errors import StorageFailed
from durun.language.expressions import ExpressionError, evaluate_condition, references, render
from durun.language.plain import to_text
from durun.model.clock import Clock
from durun.model.duration import parse_duration
from durun.model.plan import Plan
from durun.model.runbook import Call, Expression, Json, Runbook, Step, Value
from durun.model.state import RunState
from durun.model.task import TaskKey

PROBE_TIMEOUT = 60.0
"""Seconds that a verify, or a `targets: {run: …}`, may take that sets no timeout itself."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A process that is ready to be started. `request` is the digest of all that was asked of it."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None
    timeout: float | None
    request: str


class Preparer:
    """Prepares the tasks of one run. It reads the state and writes nothing but the scripts' files."""

    def __init__(self, state: RunState, plan: Plan, runbook: Runbook, run_folder: Path, clock: Clock) -> None:
        self.values = Values(state, plan, runbook)
        self._plan = plan
        self._runbook = runbook
        self._run_folder = run_folder
        self._clock = clock
        self._written: set[Path] = set()
        self._definitions: dict[str, str] = {}
        self._inherited: dict[str, dict[str, str]] = {}

    def step(self, key: TaskKey) -> Step:
        """The step of a task."""
        return self.values.steps[key.step]

    def unmet(self, key: TaskKey) -> str | None:
        """Why the task is to be skipped: the `if` of its step, or of a group around it, that is false.

        Raises ExpressionError.
        """
        scope = self.values.scope(key)
        for name in self._around(key.step):
            condition = self.values.steps[name].condition
            if condition is not None and not evaluate_condition(condition, scope):
                where = "" if name == key.step else f" of {name}"
                return f"if{where} is false: {condition.source}"
        return None

    def unmet_without_target(self, key: TaskKey) -> str | None:
        """Like `unmet`, for a fan-out whose targets are not known: only the `if`s that do not ask the target."""
        scope = self.values.scope(TaskKey(key.step, None, key.round))
        for name in self._around(key.step):
            condition = self.values.steps[name].condition
            if condition is None or any(ref.path[0] == "target" for ref in references(condition)):
                continue
            if not evaluate_condition(condition, scope):
                return f"if is false: {condition.source}"
        return None

    def _around(self, step_id: str) -> list[str]:
        """The step and the groups around it, the outermost first."""
        names = [step_id]
        while (parent := self._plan.nodes[names[0]].parent) is not None:
            names.insert(0, parent)
        return names

    def _scope(self, key: TaskKey) -> dict[str, Any]:
        return self.values.scope(key, {"step": {"idempotency_key": self.idempotency_key(key)}})

    def work(self, key: TaskKey, call: Call) -> Work:
        """What the call's action says is to be done. Raises ExpressionError."""
        context = _Context(self._scope(key), self._clock)
        return ACTIONS[call.action.kind](call.action.spec, call.shell, context)

    def idempotency_key(self, key: TaskKey) -> str:
        """The same for every attempt of the task in this run, as long as its step stays the same: 32 of a-z, 2-7."""
        definition = self._definitions.get(key.step)
        if definition is None:
            definition = self._definitions[key.step] = definition_of(self.step(key))
        name = (self.values.state.record.id, key.step, key.target, key.round, definition)
        return base64.b32encode(hashlib.sha256(json.dumps(name).encode()).digest()).decode().lower()[:32]

    def launch(
        self,
        key: TaskKey,
        call: Call,
        process: Process,
        attempt: int,
        outer: Call | None = None,
        kind: str = "run",
    ) -> Launch:
        """The process with all that it needs. `outer` is the step's own call, for a verify of it.

        `kind` (`run`, or the purpose of a probe) is part of the script file's name. Raises ExpressionError,
        StorageFailed.
        """
        scope = self._scope(key)
        explicit = self._explicit_env(call, outer, scope)
        folder = (
            call.working_directory if call.working_directory is not None or outer is None else outer.working_directory
        )
        cwd = self._folder(folder, scope)
        stdin = None if call.stdin is None else to_text(render(call.stdin, scope))
        argv = self._argv(key, call, process, kind)
        said = {"argv": argv, "script": process.script, "env": explicit, "cwd": cwd, "stdin": stdin}
        request = hashlib.sha256(json.dumps(said, sort_keys=True).encode(errors="surrogatepass")).hexdigest()
        env = {**self._given(key), **{name: value for name, value in explicit.items() if value is not None}}
        for name in (name for name, value in explicit.items() if value is None):
            env.pop(name, None)
        env |= self._facts(key, attempt)
        return Launch(argv, env, cwd, stdin, _seconds(call.timeout, scope), request)

    def _argv(self, key: TaskKey, call: Call, process: Process, kind: str) -> list[str]:
        if process.script is None:
            return list(process.argv)
        shell = process.shell or call.shell
        path = self._run_folder / "scripts" / f"{key.step}.{kind}{shell.suffix}"
        self._write_script(path, process.script)
        return [str(path) if word == "{0}" else word for word in shell.argv]

    def _write_script(self, path: Path, script: str) -> None:
        """A file, so that errors name a line and `$0` is something; written anew by each process that drives."""
        if path in self._written:
            return
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            draft.write_text(script, encoding="utf-8", errors="surrogatepass")
            draft.replace(path)
        except OSError as error:
            raise StorageFailed(f"{path}: {error.strerror}", "make room, then resume the run") from error
        self._written.add(path)

    def _explicit_env(self, call: Call, outer: Call | None, scope: Mapping[str, Any]) -> dict[str, str | None]:
        """The variables that the runbook names, rendered; None unsets."""
        env: dict[str, str | None] = {}
        for layer in (self._runbook.env, outer.env if outer is not None else {}, call.env):
            for name, value in layer.items():
                rendered = render(value, scope)
                env[name] = None if rendered is None else to_text(rendered)
        return env

    def _given(self, key: TaskKey) -> dict[str, str]:
        """What the step gets from the caller, the inputs and its target."""
        inherited = self._inherited.get(key.step)
        if inherited is None:
            inherited = self._inherited[key.step] = self._inherit(self.step(key))
        return inherited if key.target is None else {**inherited, **_target_env(self.values.target(key))}

    def _inherit(self, step: Step) -> dict[str, str]:
        created = self.values.state.created
        caller = dict(os.environ)
        env = base_environment(created.surroundings, caller)
        env |= {name: caller[name] for name in inherited_names((*self._runbook.inherit_env, *step.inherit_env), caller)}
        given = ((name, value) for name, value in created.inputs.items() if value is not None)
        return env | {f"INPUT_{name.upper()}": to_text(value) for name, value in given}

    def _facts(self, key: TaskKey, attempt: int) -> dict[str, str]:
        """What durun itself tells every script."""
        record, created = self.values.state.record, self.values.state.created
        facts = {
            "DURUN_RUN_ID": record.id,
            "DURUN_STEP_ID": key.step,
            "DURUN_ATTEMPT": str(attempt),
            "DURUN_IDEMPOTENCY_KEY": self.idempotency_key(key),
            "DURUN_WORK": str(self._run_folder / "work"),
        }
        if key.target is not None:
            facts["DURUN_TARGET_KEY"] = key.target
        if record.final_status is not None:
            facts["DURUN_RUN_STATUS"] = record.final_status
        if created.files:
            facts["DURUN_FILES"] = str(self._run_folder / FOLDER)
        return facts

    def _folder(self, given: Value | None, scope: Mapping[str, Any]) -> str:
        """Where the process starts: relative folders are relative to the runbook's, or to the copy of its files."""
        created = self.values.state.created
        base = self._run_folder / FOLDER if created.files else Path(created.place)
        return str(base if given is None else base / to_text(render(given, scope)))


class _Context:
    """What actions may ask (`durun.actions.api.Context`)."""

    def __init__(self, scope: Mapping[str, Any], clock: Clock) -> None:
        self._scope = scope
        self._clock = clock

    def render(self, value: Value) -> Json:
        return render(value, self._scope)

    def holds(self, expression: Expression) -> bool:
        return evaluate_condition(expression, self._scope)

    def now(self) -> float:
        return self._clock.now()

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


def definition_of(step: Step) -> str:
    """A digest of what a step does: equal as long as nothing that matters to its effect was changed."""
    return hashlib.sha256(repr(step.call).encode(errors="surrogatepass")).hexdigest()


def _target_env(target: Json) -> dict[str, str]:
    """`TARGET`, and `TARGET_<FIELD>` for the fields of a mapping."""
    env = {"TARGET": to_text(target)}
    if isinstance(target, dict):
        for name, value in target.items():
            field = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper())
            env[f"TARGET_{field}"] = to_text(value)
    return env


def _seconds(timeout: Value | None, scope: Mapping[str, Any]) -> float | None:
    if timeout is None:
        return None
    text = to_text(render(timeout, scope))
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ExpressionError(f"timeout: {text!r} is not a duration", "write for example 30s, 5m or 1h30m") from error
