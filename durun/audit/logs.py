"""The logs of a run's attempts as they lie on the disk: whether they still say what the steps wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from durun.engine.local.logs import MARK, read_log
from durun.engine.local.names import attempt_folder, log_path
from durun.errors import JournalDamaged
from durun.journal.chain import RESTORE_FILE
from durun.model.task import TaskKey, TaskState

_ILLEGIBLE = (ValueError, KeyError, TypeError, AttributeError)
"""What a line raises that durun has not written."""


def prove_logs(tasks: Iterable[tuple[TaskKey, TaskState]], run_folder: Path) -> int:
    """Compare each attempt's log with what its event says of it; gives how many logs are gone.

    Of a stream that was cut the event has the digest of the whole: what was kept of it is not compared. Raises
    JournalDamaged for a log that is not what was written.
    """
    gone = 0
    for key, task in tasks:
        for attempt in task.attempts:
            if not isinstance(attempt.log, Mapping):
                continue
            folder = attempt_folder(run_folder, attempt.folder)
            if not Path(log_path(folder)).exists():
                gone += any("sha256" in said and not said["cut"] for said in attempt.log.values())
            elif problem := _wrong_with(folder, attempt.log):
                what = f"{log_path(folder)} is not what attempt {attempt.number} of {key} wrote"
                raise JournalDamaged(f"{what}: {problem}", RESTORE_FILE)
    return gone


def _wrong_with(folder: Path, said: Mapping[str, Any]) -> str:
    """What is wrong with the log in an attempt's folder; "" if nothing is."""
    digests = {stream: hashlib.sha256() for stream, facts in said.items() if "sha256" in facts}
    try:
        for record in read_log(folder):
            if record.stream in digests:
                digests[record.stream].update(record.data)
            elif record.stream != MARK:
                return f"it has a {record.stream} that was not kept"
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    except _ILLEGIBLE:
        return "it has a line that durun has not written"
    changed = [name for name, digest in digests.items() if digest.hexdigest() != said[name]["sha256"]]
    return next((f"its {name} was changed" for name in changed if not said[name]["cut"]), "")
