"""The plugins of a run that is taken up again: whether they are there, and what has become of them.

Loaded for runs that use plugins, and for no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durun.engine.requests import runbook_of
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
    then = {name: plugin_of(said) for name, said in state.created.plugins.items()}
    now = dict(then)
    for name, step in _wanted(state, runbook, plan).items():
        now[name] = _found(name, step, then[name])
    changes = {name: _change(old, now[name]) for name, old in then.items() if old != now[name]}
    if not changes:
        return None
    said = {name: said_of(plugin) for name, plugin in now.items()}
    if not _means_the_same(state, runbook, said):
        raise Changed(
            f"{'; '.join(dict.fromkeys(changes.values()))}: with that, the runbook would mean something else",
            f"{_again(then, changes)}, or go on with what is there: durun resume {state.record.id} --latest",
        )
    return PluginsChanged(list(dict.fromkeys(changes.values())), said, by)


def plugins_if_possible(state: RunState, runbook: Runbook, plan: Plan, by: Mapping[str, Json]) -> list[PluginsChanged]:
    """The same, where a plugin that can't be used fails the step that uses it, and nothing else."""
    try:
        changed = plugins_now(state, runbook, plan, by)
    except (CannotStart, Changed):
        return []
    return [] if changed is None else [changed]


def _wanted(state: RunState, runbook: Runbook, plan: Plan) -> dict[str, str]:
    """The actions that may still be used, each with the first step that does."""
    found: dict[str, str] = {}
    for step in runbook.every_step():
        for name in uses_of(step):
            if name not in found and (step.rollback is not None or not _over(step.id, state, plan)):
                found[name] = step.id
    return found


def _over(step: str, state: RunState, plan: Plan) -> bool:
    fan = plan.nodes[step].fan
    resolved = state.resolved.get((fan, 0)) if fan is not None else None
    if fan is not None and resolved is None:
        return False
    total = len(resolved.index) if resolved is not None else 1
    return sum(task.status in _OVER for key, task in state.tasks.items() if key.step == step and not key.round) >= total


def _found(name: str, step: str, then: Plugin) -> Plugin:
    try:
        return describe(name)
    except CannotStart as error:
        raise CannotStart(
            f"step {step} uses {name} of {then.code}: {error.message}",
            f"nothing was started; install it: {install_command(then.package, then.version)}",
        ) from None


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
