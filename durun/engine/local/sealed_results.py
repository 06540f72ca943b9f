"""What an attempt has given in a run that has secrets: outputs, plain and sealed; and of a step that was held back what
may be shown."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from durun.engine.local.files import sync_folder
from durun.engine.local.folder import attempt_folder, log_path
from durun.engine.local.prepare import Preparer
from durun.engine.local.results import Outputs, Results, logged_stdout
from durun.engine.local.secrecy import LocalSecrecy
from durun.engine.local.supervisor.held import CAP
from durun.engine.local.supervisor.log import AttemptLog
from durun.engine.local.supervisor.outlet import CAP as OUTPUT_CAP
from durun.errors import StorageFailed
from durun.language.outputs import OutputError, collect_outputs, likely_values
from durun.model.task import TaskKey
from durun.model.values import Json


class SealedResults(Results):
    """Opens what the supervisor has sealed."""

    def __init__(self, preparer: Preparer, secrecy: LocalSecrecy, run_folder: Path) -> None:
        super().__init__(preparer, run_folder)
        self._secrecy = secrecy

    def outputs(self, key: TaskKey, folder: int) -> Outputs:
        """The secret ones are sealed, and out of sight, before this returns; see `Results`."""
        step = self._preparer.step(key)
        parts = self._secrecy.vault.written(folder)
        written, held = _part(parts, "output"), bool(step.secret_outputs)
        stdout = _part(parts, "stdout") if held else logged_stdout(step, attempt_folder(self._run_folder, folder))
        if len(written) > OUTPUT_CAP:
            raise OutputError(f"$DURUN_OUTPUT has more than {OUTPUT_CAP >> 20} MiB")
        values = collect_outputs(step.outputs, written, stdout) if step.outputs or written else {}
        secret = {name: value for name, value in values.items() if name in step.secret_outputs}
        for value in secret.values():
            self._secrecy.note(value)
        log = self._show(folder, parts) if held else {}
        plain = {name: value for name, value in values.items() if name not in secret}
        self._refuse_exposed(plain)
        return Outputs(plain, self._secrecy.seal(f"sealed/a{folder}", secret) if secret else {}, log or None)

    def _refuse_exposed(self, plain: Mapping[str, Json]) -> None:
        """Raise OutputError for an output that holds a secret and is not declared as one: the journal would tell it."""
        for name, value in plain.items():
            if self._secrecy.exposes(value):
                raise OutputError(f"output `{name}` holds the value of a secret: declare it `secret: true`")

    def log(self, key: TaskKey, folder: int, told: Json) -> Json:
        """Whatever may be secret in it is out of sight; see `Results`."""
        step = self._preparer.step(key)
        if not step.secret_outputs:
            return told
        parts = self._secrecy.vault.written(folder)
        for value in likely_values(step.outputs, _part(parts, "output"), _part(parts, "stdout")):
            self._secrecy.note(value)
        return {**(told or {}), **self._show(folder, parts)} or None

    def stdout(self, key: TaskKey, folder: int, limit: int) -> bytes:
        """Of a list of targets with secret fields it was sealed; see `Results`."""
        fan_out = self._preparer.step(key).fan_out
        if fan_out is not None and fan_out.secret_fields:
            return _part(self._secrecy.vault.written(folder), "stdout")[:limit]
        return super().stdout(key, folder, limit)

    def _show(self, folder: int, parts: Mapping[str, Json]) -> dict[str, Json]:
        """Write the log of a step that was held back: its stderr, redacted now that its outputs are known."""
        if "stderr" not in parts:
            return {}
        place = attempt_folder(self._run_folder, folder)
        draft = f"{log_path(place)}.{os.getpid()}"
        try:
            Path(draft).unlink(missing_ok=True)
            return self._write_log(draft, place, parts["stderr"])
        except OSError as error:
            hint = f"make room, then: durun resume {self._run_folder.name}"
            raise StorageFailed(f"{draft}: {error.strerror}", hint) from error

    def _write_log(self, draft: str, place: Path, records: Json) -> dict[str, Json]:
        now = [0.0]
        log = AttemptLog(draft, CAP["stderr"], keep=True, cleaner=self._secrecy.cleaner, clock=lambda: now[0])
        for at, text in records:
            now[0] = at
            log.write("stderr", base64.b64decode(text))
        facts = log.finish()
        log.sync()
        log.close()
        if log.exists:
            Path(draft).replace(log_path(place))
            sync_folder(place)
        return facts


def _part(parts: Mapping[str, Json], name: str) -> bytes:
    return base64.b64decode(parts.get(name, ""))
