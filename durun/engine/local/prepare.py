"""From a task to the process that is to be started for it: its command, its environment, its folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from durun.actions.api import Process
from durun.engine.local.files import FOLDER
from durun.engine.local.surroundings import base_environment, inherited_names
from durun.engine.tasks import Tasks
from durun.errors import StorageFailed
from durun.language.expressions import ExpressionError, render
from durun.language.plain import to_text
from durun.model.clock import Clock
from durun.model.duration import parse_duration
from durun.model.plan import Plan
from durun.model.runbook import Call, Runbook, Step
from durun.model.state import RunState
from durun.model.task import TaskKey
from durun.model.values import Json, Value

PROBE_TIMEOUT = 60.0
"""Seconds that a verify, or a `targets: {run: …}`, may take that sets no timeout itself."""


class Launch(NamedTuple):
    """A process that is ready to be started. `request` is the digest of all that was asked of it."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None
    timeout: float | None
    request: str


class Preparer(Tasks):
    """Prepares the tasks of one run. It reads the state and writes nothing but the scripts' files."""

    def __init__(self, state: RunState, plan: Plan, runbook: Runbook, run_folder: Path, clock: Clock) -> None:
        super().__init__(state, plan, runbook, clock)
        self._runbook = runbook
        self._run_folder = run_folder
        self._work = str(run_folder / "work")
        self._scripts: dict[tuple[str, str], str] = {}
        self._inherited: dict[str, dict[str, str]] = {}

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
        scope = self.scope(key)
        explicit = self._explicit_env(call, outer, scope)
        folder = (
            call.working_directory if call.working_directory is not None or outer is None else outer.working_directory
        )
        given = None if folder is None else to_text(render(folder, scope))
        cwd = _within(self._base, given)
        stdin = None if call.stdin is None else to_text(render(call.stdin, scope))
        argv = self._argv(key, call, process, kind)
        said = self._said(call, process, explicit, given) | {"stdin": stdin}
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
        path = self._scripts.get((key.step, kind))
        if path is None:
            path = self._scripts[key.step, kind] = self._write_script(
                f"{key.step}.{kind}{shell.suffix}", process.script
            )
        return [path if word == "{0}" else word for word in shell.argv]

    def _write_script(self, name: str, script: str) -> str:
        """A file, so that errors name a line and `$0` is something; written anew by each process that drives."""
        path = self._run_folder / "scripts" / name
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            draft.write_text(script, encoding="utf-8", errors="surrogatepass")
            draft.replace(path)
        except OSError as error:
            run_id = self.values.state.record.id
            raise StorageFailed(f"{path}: {error.strerror}", f"make room, then: durun resume {run_id}") from error
        return str(path)

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
            "DURUN_WORK": self._work,
        }
        if key.target is not None:
            facts["DURUN_TARGET_KEY"] = key.target
        if record.final_status is not None:
            facts["DURUN_RUN_STATUS"] = record.final_status
        if created.files:
            facts["DURUN_FILES"] = self._copies
        return facts

    def _said(self, call: Call, process: Process, env: Mapping[str, Json], folder: str | None) -> dict[str, Json]:
        """What is asked of the process, wherever the state directory is: it may be moved before a repeat."""
        created = self.values.state.created
        argv = process.argv if process.script is None else (process.shell or call.shell).argv
        cwd = _within(FOLDER if created.files else created.place, folder)
        return {"argv": list(argv), "script": process.script, "env": env, "cwd": cwd}

    @property
    def _base(self) -> str:
        """What folders are relative to: the runbook's folder, or the copy of its files."""
        created = self.values.state.created
        return self._copies if created.files else created.place

    @property
    def _copies(self) -> str:
        """Where the helper files are: in another folder once a changed runbook has brought others."""
        return f"{self._run_folder}/{self.values.state.created.files_folder}"


def _within(base: str, folder: str | None) -> str:
    return base if folder is None else str(Path(base) / folder)


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
