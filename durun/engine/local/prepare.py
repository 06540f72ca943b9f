"""From a task to the process that is to be started for it: its command, its environment, its folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from durun.actions.api import Process, Work
from durun.engine.local.files import FOLDER
from durun.engine.local.folder import store_path, write_script
from durun.engine.local.surroundings import base_environment, inherited_names
from durun.engine.local.wire import Discretion
from durun.engine.secrecy import NO_SECRETS, Rendered, render_discreetly, told_of
from durun.engine.tasks import Tasks
from durun.errors import SecretUnavailable, StorageFailed
from durun.language.expressions import ExpressionError, render
from durun.language.frames import Frame
from durun.language.plain import to_text
from durun.model.clock import Clock
from durun.model.copies import copy_name
from durun.model.duration import parse_duration
from durun.model.plan import Plan
from durun.model.runbook import Call, Runbook
from durun.model.state import RunState
from durun.model.task import TaskKey, undone_by
from durun.model.values import Json, Value

if TYPE_CHECKING:
    from durun.engine.local.secrecy import LocalSecrecy

PROBE_TIMEOUT = 60.0
"""Seconds that a verify, or a `targets: {run: …}`, may take that sets no timeout itself."""


class Launch(NamedTuple):
    """A process that is ready to be started. `request` is the digest of all that was asked of it, but its secrets.

    `mute`: it is given a secret that is too short to be found in what it writes. `globs`: in place of a process, these
    files are taken. `plugin`: the package and version whose code it runs, or empty.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None
    timeout: float | None
    request: str
    discretion: Discretion | None = None
    mute: bool = False
    globs: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def discreet(self) -> bool:
        """Whether nothing of what it writes may be kept in clear, and therefore nothing as evidence."""
        return self.mute or (self.discretion is not None and self.discretion.held)


class Preparer(Tasks):
    """Prepares the tasks of one run. It reads the state and writes nothing but the scripts' files."""

    def __init__(
        self,
        state: RunState,
        plan: Plan,
        runbook: Runbook,
        run_folder: Path,
        clock: Clock,
        local: LocalSecrecy | None = None,
    ) -> None:
        super().__init__(state, plan, runbook, clock, local or NO_SECRETS)
        self.local = local
        self._run_folder = run_folder
        self.values.evidence_place = store_path(run_folder)
        self._work = str(run_folder / "work")
        self._scripts: dict[tuple[str, str], str] = {}
        self._inherited: dict[tuple[Frame, tuple[str, ...]], dict[str, str]] = {}

    def unmet(self, key: TaskKey) -> str | None:
        """Why the task is to be skipped, see `Tasks`. Raises ExpressionError, SecretUnavailable."""
        if self.local is not None:
            self.local.begin()
        return super().unmet(key)

    def work(self, key: TaskKey, call: Call) -> Work:
        """What the call's action says is to be done. Raises ExpressionError, SecretUnavailable."""
        if self.local is not None:
            self.local.begin()
        return super().work(key, call)

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
        frame = self.values.frame(key.step)
        explicit = self._explicit_env(frame, call, outer, scope)
        folder = (
            call.working_directory if call.working_directory is not None or outer is None else outer.working_directory
        )
        given = None if folder is None else to_text(render(folder, scope))
        cwd = _within(self._base(frame), given)
        stdin = self._stdin(call, process, scope)
        files = {name: self._rendered(value, scope) for name, value in call.secret_files.items()}
        argv = self._argv(key, call, process, kind)
        plugin = self.plugin_code(call.action)
        said = self._said(frame, call, process, explicit, given) | {"stdin": stdin.told}
        request = _digest_of(said | _said_of_few(files, process, cwd, plugin))
        env = self._environment(key, process, explicit) | self._facts(key, attempt)
        if plugin:
            env["DURUN_PLUGIN"] = plugin
        timeout = _seconds(call.timeout, scope)
        if process.grace and timeout is not None:
            env["DURUN_TIMEOUT"] = str(timeout)
            timeout += process.grace
        launch = Launch(argv, env, cwd, stdin.value, timeout, request, globs=process.globs, plugin=plugin)
        return self._discreet(launch, key, kind, {name: to_text(file.value) for name, file in files.items()})

    def _environment(self, key: TaskKey, process: Process, explicit: Mapping[str, Rendered]) -> dict[str, str]:
        """The variables that the process is given, those that the runbook names over the others."""
        env = self._given(key, process)
        for name, rendered in explicit.items():
            if rendered.value is None:
                env.pop(name, None)
            else:
                env[name] = rendered.value
        return {**env, **process.env}

    def _stdin(self, call: Call, process: Process, scope: Mapping[str, Any]) -> Rendered:
        if process.stdin is not None:
            return Rendered(process.stdin, told_of(call.action.spec, scope, self.secrecy))
        return Rendered(None, None) if call.stdin is None else self._rendered(call.stdin, scope)

    def _rendered(self, value: Value, scope: Mapping[str, Any]) -> Rendered:
        """A value as a text; None stays what it is."""
        rendered, told = render_discreetly(value, scope, self.secrecy)
        return Rendered(None if rendered is None else to_text(rendered), None if told is None else to_text(told))

    def _discreet(self, launch: Launch, key: TaskKey, kind: str, files: Mapping[str, str]) -> Launch:
        """With what the supervisor must keep out of sight; `kind` is as for `launch`."""
        if self.local is None:
            return launch
        step, mute = self.step(key), self.local.too_short()
        if kind == "targets":
            held = stdout = step.fan_out is not None and bool(step.fan_out.secret_fields)
        else:
            stdout = kind == "poll" or any(output.source == "stdout" for output in step.outputs.values())
            held = bool(step.secret_outputs) or (stdout and (mute or step.redact))
        discretion = self.local.discretion(files, held=held, stdout=held and stdout)
        return launch._replace(discretion=discretion, mute=mute)

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
            write_script(draft, script)
            draft.replace(path)
        except OSError as error:
            run_id = self.values.state.record.id
            raise StorageFailed(f"{path}: {error.strerror}", f"make room, then: durun resume {run_id}") from error
        return str(path)

    def _explicit_env(
        self, frame: Frame, call: Call, outer: Call | None, scope: Mapping[str, Any]
    ) -> dict[str, Rendered]:
        """The variables that the runbook names, rendered; None unsets."""
        layers = (frame.holds.env, outer.env if outer is not None else {}, call.env)
        named = {name: value for layer in layers for name, value in layer.items()}
        return {name: self._rendered(value, scope) for name, value in named.items()}

    def _given(self, key: TaskKey, process: Process) -> dict[str, str]:
        """What the process gets from the caller, the inputs and its target."""
        frame, wanted = self.values.frame(key.step), self.step(key).inherit_env
        inherited = self._inherited.get((frame, wanted))
        if inherited is None:
            inherited = self._inherited[frame, wanted] = self._inherit(frame, wanted)
        env = dict(inherited)
        if frame.outer is not None:
            # Those of an included runbook are known when it is reached, and may differ from target to target.
            env |= _input_env(self.values.given(key, frame)[0])
        env |= {name: os.environ[name] for name in process.inherit if name in os.environ}
        env |= {} if key.target is None else _target_env(self.values.target(key))
        return env if (done := undone_by(key.step)) == key.step else env | self._given_outputs(done, key, process)

    def _given_outputs(self, step: str, key: TaskKey, process: Process) -> dict[str, str]:
        """The outputs of the step that is undone. The secret ones are gone once a run has succeeded.

        Raises SecretUnavailable if a script reads such a one; a rollback that does not does without.
        """
        outputs, gone = self.values.outputs(step, key.target, key.round), frozenset[str]()
        if self.values.state.destroyed:
            gone = self.values.steps[step].secret_outputs
        for name in gone:
            if process.script is not None and f"OUTPUT_{name.upper()}" in process.script:
                raise SecretUnavailable(
                    f"the secret output `{name}` of {step} is gone: sealed values are destroyed when a run succeeds",
                    "let the rollback find it elsewhere, such as under `secrets:`, or undo this by hand",
                )
        return {f"OUTPUT_{name.upper()}": to_text(outputs[name]) for name in outputs if name not in gone}

    def _inherit(self, frame: Frame, wanted: tuple[str, ...]) -> dict[str, str]:
        created = self.values.state.created
        caller = dict(os.environ)
        env = base_environment(created.surroundings, caller)
        env |= {name: caller[name] for name in inherited_names((*frame.holds.inherit_env, *wanted), caller)}
        return env if frame.outer is not None else env | _input_env(created.inputs)

    def _facts(self, key: TaskKey, attempt: int) -> dict[str, str]:
        """What durun itself tells every script."""
        record, frame = self.values.state.record, self.values.frame(key.step)
        facts = {
            "DURUN_RUN_ID": record.id,
            "DURUN_STEP_ID": key.step,
            "DURUN_ATTEMPT": str(attempt),
            "DURUN_IDEMPOTENCY_KEY": self.idempotency_key(key),
            "DURUN_WORK": self._work,
        }
        if key.target is not None:
            facts["DURUN_TARGET_KEY"] = key.target
        if (done := undone_by(key.step)) != key.step:
            task = self.values.state.tasks.get(key._replace(step=done))
            if task is not None and task.attempt is not None:
                facts["DURUN_STEP_IDEMPOTENCY_KEY"] = task.attempt.key
        if record.final_status is not None:
            facts["DURUN_RUN_STATUS"] = record.final_status
        if frame.holds.files:
            facts["DURUN_FILES"] = self._base(frame)
        return facts

    def _said(
        self, frame: Frame, call: Call, process: Process, env: Mapping[str, Rendered], folder: str | None
    ) -> dict[str, Json]:
        """What is asked of the process, but its secrets, wherever durun and the state directory are."""
        argv = process.argv if process.script is None else (process.shell or call.shell).argv
        if process.stdin is not None:
            argv = (call.action.kind,)
        base = _of_frame(frame, FOLDER, self.values.state.created.place)
        cwd = _within(base, folder)
        told = {name: rendered.told for name, rendered in env.items()}
        return {"argv": list(argv), "script": process.script, "env": told, "cwd": cwd}

    def _base(self, frame: Frame) -> str:
        """What folders are relative to: the folder of the file that the step stands in, or the copy of its files.

        The copies are in another folder once a changed runbook has brought others.
        """
        created = self.values.state.created
        return _of_frame(frame, f"{self._run_folder}/{created.files_folder}", created.place)


def _of_frame(frame: Frame, copies: str, place: str) -> str:
    """The folder of a file: where `copies` are, if it has helper files, else from the runbook's folder `place` on."""
    if not frame.holds.files:
        return frame.place(place)
    return f"{copies}/{copy_name(frame.holds.folder)}" if frame.holds.folder else copies


def _said_of_few(files: Mapping[str, Rendered], process: Process, cwd: str, plugin: str) -> dict[str, Json]:
    """What is asked of few processes besides; of the others, not even that it is not."""
    said: dict[str, Json] = {
        "secret_files": {name: rendered.told for name, rendered in files.items()},
        "globs": list(process.globs),
        "reads": {name: _digest(Path(cwd) / name) for name in process.reads},
        "plugin": plugin,
    }
    return {name: value for name, value in said.items() if value}


def _digest_of(said: Mapping[str, Json]) -> str:
    """SHA-256, in hex, of a request: journalled with an attempt, so that a repeat of it can be compared."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode(errors="surrogatepass")).hexdigest()


def _input_env(inputs: Mapping[str, Json]) -> dict[str, str]:
    given = ((name, value) for name, value in inputs.items() if value is not None)
    return {f"INPUT_{name.upper()}": to_text(value) for name, value in given}


def _within(base: str, folder: str | None) -> str:
    return base if folder is None else str(Path(base) / folder)


def _digest(path: Path) -> str | None:
    """The SHA-256 of a file; None where it can't be read, of which whoever reads it will complain."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


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
