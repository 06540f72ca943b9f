"""What a run is under: its runbook and its plan, as the journal has them, not as any file says by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durun.language.load import load
from durun.language.plan import make_plan
from durun.model.event import RunCreated
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState

if TYPE_CHECKING:
    from durun.model.plugin import Plugin


def stored_runbook(state: RunState) -> Runbook:
    """The runbook that the run is under, as the journal has it."""
    return runbook_of(state.created)


def runbook_of(created: RunCreated) -> Runbook:
    """The runbook that a run was started with, and all that it includes."""

    def plugin(name: str) -> Plugin:
        from durun.model.plugin import plugin_of  # few runs use plugins

        return plugin_of(created.plugins[name])

    return load(created.text.encode("utf-8"), created.file, included=created.included, plugin=plugin).runbook


def stored_plan(state: RunState, runbook: Runbook) -> Plan:
    """The plan of the run under this runbook, with the inputs and the environment that it was asked for with."""
    return make_plan(runbook, state.created.inputs, state.created.surroundings["env"], state.record.id)
