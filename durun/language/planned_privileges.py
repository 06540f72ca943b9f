"""What a plan says about privileges: which steps may need each, so that it is granted anew before they are started."""

from __future__ import annotations

from collections.abc import Mapping

from durun.language.planned_approvals import comes_before
from durun.model.plan import Node
from durun.model.runbook import Runbook

_WITHOUT = frozenset({"approval", "assert", "generate", "runbook", "wait"})
"""Actions that reach nothing outside: durun does them by itself, or waits for people or a time."""


def with_needed(undo: Mapping[str, Node], nodes: Mapping[str, Node], runbook: Runbook) -> Mapping[str, Node]:
    """The nodes that undo steps; those of privileges with the steps that may need them."""
    if all(node.until is None for node in undo.values()):
        return undo
    calls = {step.id: step.call for step in runbook.every_step()}
    reaching = [
        step
        for step, node in nodes.items()
        if not node.final and ((call := calls[step]) is None or call.action.kind not in _WITHOUT or node.fan_out)
    ]
    return {
        step: node if node.until is None else node._replace(needed_by=_between(nodes, step, node.until, reaching))
        for step, node in undo.items()
    }


def _between(nodes: Mapping[str, Node], first: str, last: str, among: list[str]) -> frozenset[str]:
    """The steps that come after the first one and not after the last one."""
    later = (step for step in among if comes_before(nodes, first, step))
    return frozenset(step for step in later if not comes_before(nodes, last, step))
