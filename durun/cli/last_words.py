"""What a step that did not go well said last: an exit code alone tells an operator little."""

from __future__ import annotations

from collections.abc import Iterable

from durun.app import App
from durun.model.status import TaskStatus
from durun.model.task import TaskKey, TaskState
from durun.model.values import Json

_WORDY = ("failed", "in_doubt")
_MOST = 100
"""Tasks that are looked at."""
_LONGEST = 300
"""Characters of a line that are told."""


def last_words(app: App, run_id: str, tasks: Iterable[tuple[TaskKey, TaskState]]) -> dict[TaskKey, str]:
    """Of the first tasks that failed or are in doubt, the last line that its newest attempt wrote to stderr."""
    written = [
        (key, task.attempts[-1].folder)
        for key, task in tasks
        if task.status in _WORDY and task.attempts and _wrote_errors(task.status, task.attempts[-1].log)
    ][:_MOST]
    if not written:
        return {}
    from durun.engine.local.folder import attempt_folder
    from durun.engine.local.logs import last_line

    run = app.config.run_folder(run_id)
    found = {key: last_line(attempt_folder(run, folder), "stderr")[:_LONGEST] for key, folder in written if folder}
    return {key: line for key, line in found.items() if line}


def _wrote_errors(status: TaskStatus, log: Json) -> bool:
    """Whether there may be something on stderr; of an attempt that was lost nobody knows."""
    return status == "in_doubt" if log is None else bool(log.get("stderr", {}).get("bytes"))
