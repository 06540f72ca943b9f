"""What a step that did not go well said last: an exit code alone tells an operator little."""

from __future__ import annotations

from collections.abc import Iterable

from durun.app import App
from durun.cli.probes import newest_probes
from durun.model.status import TaskStatus
from durun.model.task import TaskKey, TaskState
from durun.model.values import Json

_WORDY = ("failed", "in_doubt")
_UNLISTED = "targets"
"""The code of a fan-out whose targets could not be listed."""
_MOST = 100
"""Tasks that are looked at."""
_LONGEST = 300
"""Characters of a line that are told."""


def last_words(app: App, run_id: str, tasks: Iterable[tuple[TaskKey, TaskState]]) -> dict[TaskKey, str]:
    """The last line on stderr of the newest attempt of each of the first tasks that failed or are in doubt.

    Of a fan-out whose targets could not be listed it is the one of what was to list them.
    """
    bad = [(key, task) for key, task in tasks if task.status in _WORDY][:_MOST]
    written = {
        key: task.attempts[-1].folder
        for key, task in bad
        if task.attempts and _wrote_errors(task.status, task.attempts[-1].log)
    }
    if any(task.code == _UNLISTED and not task.attempts for _, task in bad):
        asked = newest_probes(app, run_id)
        written |= {key: asked[key][1].folder for key, task in bad if not task.attempts and key in asked}
    if not written:
        return {}
    from durun.engine.local.logs import last_line
    from durun.engine.local.names import attempt_folder

    run = app.config.run_folder(run_id)
    found = {
        key: last_line(attempt_folder(run, folder), "stderr").replace(f"{run}/scripts/", "")[:_LONGEST]
        for key, folder in written.items()
        if folder
    }
    return {key: line for key, line in found.items() if line}


def _wrote_errors(status: TaskStatus, log: Json) -> bool:
    """Whether there may be something on stderr; of an attempt that was lost nobody knows."""
    return status == "in_doubt" if log is None else bool(log.get("stderr", {}).get("bytes"))
