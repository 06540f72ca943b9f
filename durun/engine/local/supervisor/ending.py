"""What is made durable at the end of an attempt, and when.

While the runner lives: what its COMMIT may name (log, outputs, their folders), and for a step that wrote nothing,
nothing. Without a runner: everything, for the machine may be gone before anybody asks.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from durun.engine.local.folder import (
    gate_path,
    output_path,
    seal_context,
    sealed_path,
    sync,
    sync_results,
    write_exit,
)
from durun.engine.local.names import attempt_folder
from durun.engine.local.records import ExitRecord
from durun.engine.local.supervisor.ahead import Ahead
from durun.engine.local.supervisor.child import Child
from durun.engine.local.supervisor.held import HeldLog


class Ending:
    """Ends the attempts of one run."""

    def __init__(self, run_folder: Path, ahead: Ahead) -> None:
        self._run_folder = run_folder
        self._ahead = ahead

    def seal(self, child: Child) -> str:
        """Seal what the attempt wrote to `$DURUN_OUTPUT`, and what was held back; what went wrong, or "".

        This comes before the exit record: whoever adopts that must find the outputs.
        """
        content = _content(child)
        if not content:
            return ""
        from durun.durable import write_durably
        from durun.secrets.seal import seal

        discretion = child.order.discretion
        assert discretion is not None
        try:
            sealed = seal(bytes.fromhex(discretion.seal_key), content, seal_context(child.folder))
            write_durably(sealed_path(child.folder), sealed)
            self._sync_names(child.folder, child.order.folder)
        except (OSError, ImportError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            return f"the attempt's outputs could not be sealed: {why}"
        return ""

    def write_record(self, child: Child, record: ExitRecord) -> str:
        """Write the exit record, and make durable what the outcome may name; what the disk refused, or ""."""
        try:
            write_exit(child.gate, record)
            output = child.outlet is None and os.path.exists(output_path(child.folder))  # noqa: PTH110  (every step pays)
            if child.log.exists or output:
                child.log.sync()
                sync(output_path(child.folder))
                self._sync_names(child.folder, child.order.folder)
        except OSError as error:
            return f"the attempt's results could not be made durable: {error.strerror}"
        return ""

    def make_durable(self, number: int, record: ExitRecord) -> None:
        """Make the attempt's results and its record durable, and only then say so in the record.

        Raises OSError: then the record does not say so, and nobody takes it for durable.
        """
        folder = attempt_folder(self._run_folder, number)
        gate = os.open(gate_path(folder), os.O_RDWR | os.O_CLOEXEC)
        try:
            write_exit(gate, record)
            sync_results(folder, self._run_folder)
            os.fsync(gate)
            write_exit(gate, record._replace(synced=True))
            os.fsync(gate)
        finally:
            os.close(gate)

    def _sync_names(self, folder: Path, number: int) -> None:
        """The folder's names, and its own."""
        sync(folder)
        self._ahead.sync(number)


def _content(child: Child) -> bytes:
    """What is to be sealed, as JSON (bytes in base64): `output`, `stdout`, and `stderr` as pairs of time and text."""
    parts: dict[str, Any] = {}
    if child.outlet is not None and child.outlet.content:
        parts["output"] = _text(child.outlet.content)
    if isinstance(child.log, HeldLog):
        if child.log.stdout:
            parts["stdout"] = _text(child.log.stdout)
        if child.log.stderr:
            parts["stderr"] = [(at, _text(chunk)) for at, chunk in child.log.stderr]
    return json.dumps(parts).encode() if parts else b""


def _text(content: bytes | bytearray) -> str:
    return base64.b64encode(content).decode()
