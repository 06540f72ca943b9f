"""What was asked beside the attempts of a run's tasks: verifies, lists of targets, polls."""

from __future__ import annotations

from durun.app import App
from durun.model.event import ProbeStarted, key_of
from durun.model.task import TaskKey


def newest_probes(app: App, run_id: str) -> dict[TaskKey, tuple[float, ProbeStarted]]:
    """The newest question of each task that has one, and when it was begun (seconds since the epoch)."""
    asked = app.journal.events(run_id, types=("probe_started",))
    return {key_of(event): (at, event) for _, at, event in asked if isinstance(event, ProbeStarted)}
