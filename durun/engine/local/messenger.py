"""Has one notifier of a runbook tell something: a program, or a process of durun that asks a server or Apprise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from durun.actions.api import Process
from durun.config import NOTIFY_TIMEOUT, seconds_of
from durun.engine.local.folder import write_script
from durun.engine.local.surroundings import base_environment, inherited_names
from durun.engine.notices import Unsent, body_of, message, title_of
from durun.engine.secrecy import Secrecy, render_discreetly
from durun.engine.stored import stored_plan
from durun.engine.tasks import prepared
from durun.engine.values import Values
from durun.language.plain import to_text
from durun.model.clock import Clock
from durun.model.runbook import SAFE_METHODS, Call, Runbook
from durun.model.state import RunState
from durun.model.values import Json

GRACE: Final = 2.0
"""Seconds between TERM and KILL."""
_BODIES: Final = ("json", "form", "body")
_MOST: Final = 300
"""Characters of a reason."""


class Messenger:
    """Tells of one run."""

    def __init__(
        self, state: RunState, runbook: Runbook, folder: Path, clock: Clock, secrecy: Secrecy, head: str
    ) -> None:
        self._state = state
        self._head = head
        self._runbook = runbook
        self._folder = folder
        self._clock = clock
        self._secrecy = secrecy
        self._patience = seconds_of(NOTIFY_TIMEOUT, 30.0, least=0.1)

    def send(self, one: Unsent) -> str:
        """Have it told; why it was not, or nothing. Raises ExpressionError, SecretUnavailable."""
        if one.notifier >= len(self._runbook.notify):
            return "the changed runbook has no such notice any more"
        call = self._runbook.notify[one.notifier].call
        scope = self._scope()
        env = self._env(one, call, scope)
        told: dict[str, Json] = self._scrubbed(message(self._state, one, self._head))
        work = prepared(_with_message(call, told), scope, self._clock, self._secrecy)
        assert isinstance(work, Process)
        env |= {name: os.environ[name] for name in work.inherit if name in os.environ}
        stdin = f"{json.dumps(told)}\n" if work.stdin is None else work.stdin
        return self._ran(self._argv(one, call, work), env, stdin)

    def _scope(self) -> dict[str, Any]:
        plan = stored_plan(self._state, self._runbook)
        return Values(self._state, plan, self._runbook, self._secrecy).scope(None)

    def _scrubbed(self, value: Json) -> Json:
        """Nothing secret leaves, whatever was recorded."""
        if isinstance(value, str):
            return self._secrecy.scrub(value)
        if isinstance(value, dict):
            return {name: self._scrubbed(entry) for name, entry in value.items()}
        return [self._scrubbed(entry) for entry in value] if isinstance(value, list) else value

    def _env(self, one: Unsent, call: Call, scope: Mapping[str, Any]) -> dict[str, str]:
        created, caller = self._state.created, dict(os.environ)
        env = base_environment(created.surroundings, caller)
        env |= {name: caller[name] for name in inherited_names(self._runbook.inherit_env, caller)}
        for name, value in {**self._runbook.env, **call.env}.items():
            rendered = render_discreetly(value, scope, self._secrecy).value
            if rendered is None:
                env.pop(name, None)
            else:
                env[name] = to_text(rendered)
        env |= {
            "DURUN_RUN_ID": self._state.record.id,
            "DURUN_RUN_STATUS": self._state.record.status,
            "DURUN_EVENT": one.due.event,
            "DURUN_IDEMPOTENCY_KEY": one.key,
            "DURUN_OUTPUT": os.devnull,
            "DURUN_TIMEOUT": str(0.9 * self._patience),
        }
        return env | ({"DURUN_FILES": self._place} if self._runbook.files else {})

    @property
    def _place(self) -> str:
        """What paths are relative to: the runbook's folder, or the copy of its files."""
        created = self._state.created
        return f"{self._folder}/{created.files_folder}" if self._runbook.files else created.place

    def _argv(self, one: Unsent, call: Call, work: Process) -> list[str]:
        if work.script is None:
            return list(work.argv)
        shell = work.shell or call.shell
        path = self._folder / "scripts" / f"notify.{one.notifier}{shell.suffix}"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_script(path, work.script)
        return [str(path) if word == "{0}" else word for word in shell.argv]

    def _ran(self, argv: list[str], env: Mapping[str, str], stdin: str) -> str:
        """Run it; why it did not end well, or nothing."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            given.write(stdin.encode("utf-8", "surrogatepass"))
            given.seek(0)
            try:
                process = subprocess.Popen(
                    argv, env=dict(env), cwd=self._place, stdin=given, stdout=out, stderr=said, start_new_session=True
                )
            except OSError as error:
                return f"{argv[0]}: {error.strerror}"
            try:
                code = process.wait(self._patience)
            except subprocess.TimeoutExpired:
                _stop(process)
                return f"stopped after {self._patience:g} s"
            if code == 0:
                return ""
            how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            last = self._secrecy.scrub(_last_line(said.fileno()) or _last_line(out.fileno()))
            return f"{how}: {last}"[:_MOST] if last else how


def _with_message(call: Call, told: dict[str, Json]) -> Call:
    """A request without a body carries the message; Apprise its words."""
    spec = call.action.spec
    if call.action.kind == "apprise":
        spec = {**spec, "title": title_of(told), "body": body_of(told)}
    elif call.action.kind == "http" and spec["method"] not in SAFE_METHODS and not any(key in spec for key in _BODIES):
        spec = {**spec, "json": told}
    return call._replace(action=call.action._replace(spec=spec))


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode("utf-8", "replace").splitlines()
    text = next((line for line in reversed(lines) if line.strip()), "")
    return "".join(char if char.isprintable() else " " for char in text).removeprefix("durun: ").strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
