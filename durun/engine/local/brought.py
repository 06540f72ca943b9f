"""The plugins of a run that is taken up again: whether they are there, and what has become of them.

Loaded for runs that use plugins, and for no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import Final

from durun.engine.stored import runbook_of
from durun.errors import CannotStart, Changed, DurunError
from durun.model.event import PluginsChanged
from durun.model.plan import Plan
from durun.model.plugin import Plugin, plugin_of, said_of, uses_of
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.values import Json
from durun.plugins.described import describe
from durun.plugins.installed import install_command

_OVER: Final = ("succeeded", "skipped", "rolled_back")


def plugins_now(state: RunState, runbook: Runbook, plan: Plan, by: Mapping[str, Json]) -> PluginsChanged | None:
    """What has changed about the plugins of the steps that are not over, to be recorded; None: nothing.

    Nothing has had an effect yet. Raises CannotStart for one that can't be used, and Changed if the runbook would mean
    something else with what is installed now.
    """
    then, found = _as_recorded(state), {}
    for name, step in _wanted(state, runbook, plan).items():
        try:
            found[name] = describe(name)
        except CannotStart as error:
            raise CannotStart(
                f"step {step} uses {name} of {then[name].code}: {error.message}",
                f"nothing was started; install it: {install_command(then[name].package, then[name].version)}",
            ) from None
    changes = _changes(then, found)
    changed = _changed({**then, **found}, changes, by)
    if changed is not None and not _means_the_same(state, runbook, changed.plugins):
        raise Changed(
            f"{'; '.join(changed.changes)}: with that, the runbook would mean something else",
            f"{_again(then, changes)}, or go on with what is there: durun resume {state.record.id} --latest",
        )
    return changed


def plugins_at_the_end(state: RunState, runbook: Runbook, plan: Plan, by: Mapping[str, Json]) -> PluginsChanged | None:
    """The same of those that a run needs that is given up. One that can't be used fails the step that uses it."""
    then, found = _as_recorded(state), {}
    for name in _wanted(state, runbook, plan, last=True):
        with suppress(CannotStart):
            found[name] = describe(name)
    changed = _changed({**then, **found}, _changes(then, found), by)
    return changed if changed is None or _means_the_same(state, runbook, changed.plugins) else None


def _as_recorded(state: RunState) -> dict[str, Plugin]:
    return {name: plugin_of(said) for name, said in state.created.plugins.items()}


def _changes(then: Mapping[str, Plugin], found: Mapping[str, Plugin]) -> dict[str, str]:
    """In words what has become of each that is another now."""
    return {name: _change(then[name], now) for name, now in found.items() if then[name] != now}


def _changed(now: Mapping[str, Plugin], changes: Mapping[str, str], by: Mapping[str, Json]) -> PluginsChanged | None:
    said = {name: said_of(plugin) for name, plugin in now.items()}
    return PluginsChanged(list(dict.fromkeys(changes.values())), said, by) if changes else None


def _wanted(state: RunState, runbook: Runbook, plan: Plan, *, last: bool = False) -> dict[str, str]:
    """The actions that may still be used, each with the first step that does; `last`: at the end of the run, or to
    undo."""
    found: dict[str, str] = {}
    over = Counter(key.step for key, task in state.tasks.items() if task.status in _OVER and not key.round)
    for step in runbook.every_step():
        for name in uses_of(step):
            later = step.rollback is not None or plan.nodes[step.id].final
            if name not in found and (later or not (last or over[step.id] >= _tasks_of(step.id, state, plan))):
                found[name] = step.id
    return found


def _tasks_of(step: str, state: RunState, plan: Plan) -> float:
    """How many tasks the step is; while its targets are not known, more than can be over."""
    fan = plan.nodes[step].fan
    if fan is None:
        return 1
    resolved = state.resolved.get((fan, 0))
    return inf if resolved is None else len(resolved.index)


def _change(then: Plugin, now: Plugin) -> str:
    return f"{then.code} became {now.code if now.code != then.code else 'another one of the same version'}"


def _again(then: Mapping[str, Plugin], changed: Mapping[str, str]) -> str:
    packages = dict.fromkeys((then[name].package, then[name].version) for name in changed)
    return f"install {' and '.join(f'{package}=={version}' for package, version in packages)} again"


def _means_the_same(state: RunState, runbook: Runbook, plugins: Mapping[str, Json]) -> bool:
    try:
        other = runbook_of(state.created._replace(plugins=plugins))
    except DurunError:
        return False
    return other._replace(plugins={}) == runbook._replace(plugins={})
