"""Actions from plugins that steps use, and whether what is here is still what the runbook was checked with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from durun.model.runbook import Runbook

if TYPE_CHECKING:
    from durun.views.foreseen import Used


def used_plugins(runbook: Runbook, steps: Iterable[str]) -> list[Used]:
    """Each with the steps that use it. Nothing of a plugin is loaded."""
    if not runbook.plugins:
        return []
    from durun.model.plugin import plugin_of, uses_of  # few runbooks use plugins
    from durun.plugins.installed import ACTIONS, installed
    from durun.views.foreseen import Used

    by_name: dict[str, list[str]] = {}
    chosen = set(steps)
    for step in runbook.every_step():
        for name in uses_of(step) if step.id in chosen else ():
            by_name.setdefault(name, []).append(step.id)
    there = {one.name: one for one in installed(ACTIONS)}
    found = []
    for name, by in by_name.items():
        then, now = plugin_of(runbook.plugins[name]), there.get(name)
        code = None if now is None else now.code
        found.append(Used(name, then.package, then.version, tuple(dict.fromkeys(by)), code))
    return found
