"""Why a run stands where it stands, for whoever asks: which of what it waits for is theirs to decide or to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from durun.app import App
from durun.cli.last_words import last_words
from durun.config import answers_to, whoami
from durun.model.people import Claim, conclusion, person, rule
from durun.model.status import RunStatus
from durun.model.task import RunRecord, TaskKey, Waiting
from durun.model.values import Json
from durun.views.why import Tasks, Why, explaining, why_of


def explain(app: App, record: RunRecord, status: RunStatus, notable: Tasks, shown: Tasks = ()) -> Why:
    """What explains the run. `notable`: see `Journal.notable`. `shown`: tasks of which more is told if they are bad."""
    tasks = explaining(record, status, notable)
    mine = _yours(app, record.id, tasks) if status == "waiting" else ()
    return why_of(record, status, tasks, mine, last_words(app, record.id, [*tasks, *shown]))


def _yours(app: App, run_id: str, tasks: Tasks) -> list[TaskKey]:
    """Those of the tasks that wait for people, and about which the caller's word would count now."""
    return theirs(tasks, cache(lambda: app.created(run_id).by), app.clock.now())


def theirs(tasks: Tasks, requester: Callable[[], Mapping[str, Json]], now: float) -> list[TaskKey]:
    """Of the tasks that wait for people, those about which the caller's word would count at this time."""
    asked = [(key, task.waiting) for key, task in tasks if task.waiting is not None and task.waiting.asked is not None]
    who = cache(whoami)
    return [key for key, waiting in asked if _may_say(waiting, who, requester, now)]


def _may_say(
    waiting: Waiting, who: Callable[[], Mapping[str, Json]], requester: Callable[[], Mapping[str, Json]], now: float
) -> bool:
    if conclusion(waiting, now) is not None:
        return False
    if waiting.kind == "manual":
        return True
    by = who()
    names = answers_to(person(by), waiting.asked["approvers"])
    claim = Claim("approve", by, names, waiting.asked["nonce"], waiting.asked["digest"])
    return not rule(waiting, claim, requester(), now).why
