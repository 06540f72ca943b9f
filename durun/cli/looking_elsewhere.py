"""Another user's runs, as far as they are shown to those who may decide: the ones that ask something of somebody."""

from __future__ import annotations

import sys

from durun.app import App
from durun.cli.deciding_elsewhere import asked_in, is_elsewhere
from durun.cli.explain import theirs
from durun.cli.screen import width_of_terminal
from durun.engine.local.asked_of_others import Described, understood
from durun.journal.lookup import LAST
from durun.model.status import RunStatus
from durun.model.task import TaskKey, TaskState
from durun.sharing.answers import has_answered
from durun.sharing.places import Shared
from durun.sharing.questions import published
from durun.views.ahead import ahead_text
from durun.views.history import Listed
from durun.views.json import dump, run_whole
from durun.views.people import answers
from durun.views.show import waiting_for
from durun.views.summary import following
from durun.views.why import Why, explaining, why_json, why_of

_STATUS: RunStatus = "waiting"


def list_elsewhere(app: App) -> list[Listed] | None:
    """The runs that ask something of others, newest first; None where nothing is shared. Raises Unsafe."""
    if not is_elsewhere(app.config.home):
        return None
    runs: dict[str, list[Described]] = {}
    for question in published(app.config.home):
        one = understood(question.content)
        runs.setdefault(question.run, []).append(one)
    found = [Listed(asked[0].state.record, _STATUS, _why(app, asked)) for asked in runs.values()]
    return sorted(found, key=lambda run: run.record.created_at, reverse=True)


def show_elsewhere(app: App, run: str, as_json: bool) -> bool:
    """Show what a run of another user asks, and what follows if the answer is yes; False where nothing is shared.

    Raises NoSuchRun, UsageError, Unsafe.
    """
    if not is_elsewhere(app.config.home):
        return False
    if run == LAST and (found := list_elsewhere(app)):
        run = found[0].record.id
    asked = asked_in(app.config.home, run)
    state = asked[0].state
    if as_json:
        tasks = _tasks(asked)
        whole = run_whole(state, _STATUS, tasks, waiting_for(state, _STATUS), "")
        sys.stdout.write(dump({**whole, **why_json(state.record, _STATUS, _why(app, asked))}))
        return True
    for one in asked:
        now, width = app.clock.now(), width_of_terminal()
        sys.stdout.write(ahead_text(one.state, app.runbook(one.state), one.key, one.waiting, now, width))
    sys.stdout.write("".join(f"{line}\n" for line in following(answers(state.record.id, state.tasks))))
    return True


def _tasks(asked: list[Described]) -> list[tuple[TaskKey, TaskState]]:
    return [(one.key, one.state.tasks[one.key]) for one in asked]


def _why(app: App, asked: list[Described]) -> Why:
    state, tasks = asked[0].state, _tasks(asked)
    folders = Shared(app.config.home)
    open_ = [one for one in asked if not has_answered(folders, state.record.id, one.waiting.asked["nonce"])]
    mine = theirs(_tasks(open_), lambda: state.created.by, app.clock.now())
    return why_of(state.record, _STATUS, explaining(state.record, _STATUS, tasks), mine)
