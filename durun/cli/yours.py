"""What waits for whoever asks: approvals that they may give, and steps that somebody is to do by hand."""

from __future__ import annotations

from collections.abc import Iterable

from durun.app import App
from durun.config import answers_to, whoami
from durun.model.people import Claim, conclusion, person, rule
from durun.model.task import TaskKey, TaskState, Waiting


def yours(app: App, run_id: str, tasks: Iterable[tuple[TaskKey, TaskState]]) -> list[TaskKey]:
    """Those of the tasks that wait for people, and about which the caller's word would count now."""
    asked = [(key, task.waiting) for key, task in tasks if task.waiting is not None and task.waiting.asked is not None]
    return [key for key, waiting in asked if _may_say(app, run_id, waiting)]


def _may_say(app: App, run_id: str, waiting: Waiting) -> bool:
    now = app.clock.now()
    if conclusion(waiting, now) is not None:
        return False
    if waiting.kind == "manual":
        return True
    by = whoami()
    names = answers_to(person(by), waiting.asked["approvers"])
    claim = Claim("approve", by, names, waiting.asked["nonce"], waiting.asked["digest"])
    return not rule(waiting, claim, app.created(run_id).by, now).why
