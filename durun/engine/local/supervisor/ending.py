"""What is made durable at the end of an attempt, and when.

While the runner lives: what its COMMIT may name (log, outputs, their folders), and for a step that wrote nothing,
nothing. Without a runner: everything, for the machine may be gone before anybody asks.
"""

from __future__ import annotations

import os
from pathlib import Path

from durun.engine.local.folder import (
    attempt_folder,
    gate_path,
    output_path,
    sync,
    sync_results,
    write_exit,
)
from durun.engine.local.records import ExitRecord
from durun.engine.local.supervisor.child import Child


class Ending:
    """Ends the attempts of one run."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._named = False

    def write_record(self, child: Child, record: ExitRecord) -> str:
        """Write the exit record, and make durable what the outcome may name; what the disk refused, or ""."""
        try:
            write_exit(child.gate, record)
            if child.log.exists or os.path.exists(output_path(child.folder)):  # noqa: PTH110  (every step pays for it)
                child.log.sync()
                sync(output_path(child.folder))
                self._sync_names(child.folder)
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

    def _sync_names(self, folder: Path) -> None:
        """The folder's names, its own name, and once the name of the folder of all attempts."""
        sync(folder)
        sync(folder.parent)
        if not self._named:
            sync(self._run_folder)
            self._named = True
