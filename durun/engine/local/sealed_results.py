"""What an attempt has given in a run that has secrets: outputs, plain and sealed; and of a step that was held back what
may be shown."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from durun.durable import sync_folder
from durun.engine.local.folder import discard_evidence, read_gate
from durun.engine.local.names import attempt_folder, log_path
from durun.engine.local.prepare import Preparer
from durun.engine.local.results import Outputs, Results, logged_stdout
from durun.engine.local.secrecy import LocalSecrecy, keeps
from durun.engine.local.supervisor.held import CAP
from durun.engine.local.supervisor.log import AttemptLog
from durun.engine.local.supervisor.outlet import CAP as OUTPUT_CAP
from durun.engine.polling import Given
from durun.errors import StorageFailed
from durun.language.outputs import OutputError, collect_outputs, likely_values, said_reason, said_status
from durun.model.runbook import Step
from durun.model.task import TaskKey
from durun.model.values import Json
from durun.secrets.redact import MARK


class SealedResults(Results):
    """Opens what the supervisor has sealed."""

    def __init__(self, preparer: Preparer, secrecy: LocalSecrecy, run_folder: Path) -> None:
        super().__init__(preparer, run_folder)
        self._secrecy = secrecy

    def outputs(self, key: TaskKey, folder: int) -> Outputs:
        """The secret ones are sealed, and out of sight, before this returns; see `Results`."""
        step = self._preparer.step(key)
        parts = self._secrecy.vault.written(folder)
        written = _part(parts, "output")
        if len(written) > OUTPUT_CAP:
            raise OutputError(f"$DURUN_OUTPUT has more than {OUTPUT_CAP >> 20} MiB")
        stdout = self._stdout(step, folder, parts)
        values = collect_outputs(step.outputs, written, stdout, private=True) if step.outputs or written else {}
        secret = {name: value for name, value in values.items() if name in step.secret_outputs}
        log = self._show(folder, parts, list(secret.values()), keep=keeps(secret.values()))
        plain = {name: value for name, value in values.items() if name not in secret}
        self._refuse_exposed(step, folder, plain)
        return Outputs(plain, self._secrecy.seal(f"sealed/a{folder}", secret) if secret else {}, log or None)

    def _stdout(self, step: Step, folder: int, parts: Mapping[str, Json]) -> bytes:
        if "stdout" in parts or step.secret_outputs:
            return _part(parts, "stdout")
        return logged_stdout(step, attempt_folder(self._run_folder, folder))

    def _refuse_exposed(self, step: Step, folder: int, plain: Mapping[str, Json]) -> None:
        """Raise OutputError for an output that holds a secret and is not declared as one: the journal would tell it.

        What comes from a stdout that is kept has a mark by now where the secret was.
        """
        for name, value in plain.items():
            marked = step.outputs[name].source == "stdout" and MARK in json.dumps(value)
            if self._secrecy.exposes(value) or (marked and self._redacted(folder)):
                raise OutputError(f"output `{name}` holds the value of a secret: declare it `secret: true`")

    def _redacted(self, folder: int) -> bool:
        """Whether something was taken out of what the process wrote to stdout."""
        records = read_gate(attempt_folder(self._run_folder, folder))
        record = records.exit if records is not None else None
        return record is not None and bool(record.log.get("stdout", {}).get("redacted"))

    def log(self, key: TaskKey, folder: int, told: Json) -> Json:
        """Whatever may be secret in it is out of sight; see `Results`."""
        step = self._preparer.step(key)
        if not step.secret_outputs:
            return told
        parts = self._secrecy.vault.written(folder)
        likely = likely_values(step.outputs, _part(parts, "output"), _part(parts, "stdout"))
        keep = keeps(value for value in likely if isinstance(value, str))
        return {**(told or {}), **self._show(folder, parts, likely, keep=keep)} or None

    def left(self, folder: int, *, gone: bool) -> str:
        """Nothing of it stays in clear once nobody writes to it any more; see `Results`."""
        removed = discard_evidence(attempt_folder(self._run_folder, folder)) if gone else ""
        return "; ".join(filter(None, (super().left(folder, gone=gone), removed)))

    def said(self, folder: int) -> str:
        """It came with the outputs; see `Results`.

        What is secret is taken out of it before it is put on one line and cut: nobody would know it again.
        """
        written = _part(self._secrecy.vault.written(folder), "output").decode("utf-8", "replace")
        return said_reason(self._secrecy.scrub(written).encode())

    def given(self, key: TaskKey, folder: int, limit: int) -> Given:
        """What was held back is sealed; see `Results`."""
        parts = self._secrecy.vault.written(folder)
        status = said_status(_part(parts, "output"))
        if "stdout" in parts or self._preparer.step(key).secret_outputs:
            return Given(_part(parts, "stdout")[:limit], status)
        return super().given(key, folder, limit)._replace(status=status)

    def stdout(self, key: TaskKey, folder: int, limit: int) -> bytes:
        """Of a list of targets with secret fields it was sealed; see `Results`."""
        parts = self._secrecy.vault.written(folder)
        if "stdout" in parts:
            return _part(parts, "stdout")[:limit]
        if self._redacted(folder):
            raise OutputError("a target holds a secret in the open", "name the field in `secret_fields: […]`")
        return super().stdout(key, folder, limit)

    def _show(self, folder: int, parts: Mapping[str, Json], secret: Sequence[Json], *, keep: bool) -> dict[str, Json]:
        """Write the log of a step that was held back: its stderr, redacted now that its secret outputs are known.

        Not with `keep` False: one of them is too short to be found.
        """
        for value in secret:
            self._secrecy.note(value)
        if "stderr" not in parts:
            return {}
        place = attempt_folder(self._run_folder, folder)
        draft = f"{log_path(place)}.{os.getpid()}"
        try:
            Path(draft).unlink(missing_ok=True)
            return self._write_log(draft, place, parts["stderr"], keep)
        except OSError as error:
            hint = f"make room, then: durun resume {self._run_folder.name}"
            raise StorageFailed(f"{draft}: {error.strerror}", hint) from error

    def _write_log(self, draft: str, place: Path, records: Json, keep: bool) -> dict[str, Json]:
        now, secrecy = [0.0], self._secrecy
        log = AttemptLog(draft, CAP["stderr"], keep, secrecy.cleaner, secrecy.digest_key, clock=lambda: now[0])
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
