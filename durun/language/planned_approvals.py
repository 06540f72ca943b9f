"""What a plan says about approvals: which steps come after each, and what the targets of those are made of.

It goes by the nodes of the plan, which know the steps of included runbooks like any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from durun.language.expressions import references
from durun.language.frames import Frame, Frames
from durun.language.places import expressions_of_targets
from durun.model.plan import Node
from durun.model.runbook import Runbook, Step, TargetsFile, TargetsRun
from durun.model.values import Expression

Nodes = Mapping[str, Node]


def with_approvals(nodes: Nodes, runbook: Runbook) -> Nodes:
    """The nodes; where the runbook asks for approvals, with what is to be known about them."""
    steps = {step.id: step for step in runbook.every_step() if not nodes[step.id].final}
    asking = [step.id for step in steps.values() if step.call is not None and step.call.action.kind == "approval"]
    if not asking:
        return nodes
    frames = Frames(runbook)
    found = dict(nodes)
    for approval in asking:
        after = tuple(step for step in steps if comes_before(nodes, approval, step))
        found[approval] = found[approval]._replace(after=after)
    for step in steps.values():
        if step.fan_out is not None:
            reads = _reads(nodes, step, steps, frames)
            found[step.id] = found[step.id]._replace(reads=tuple(sorted(reads)))
    return found


def comes_before(nodes: Nodes, first: str, second: str) -> bool:
    """Whether the first step has always ended when the second starts; not where one stands in the other."""
    wanted, around = set(_lineage(nodes, first)), set(_lineage(nodes, second))
    if second in wanted or first in around:
        return False
    rest, seen = [need for one in around for need in nodes[one].needs], set[str]()
    while rest:
        need = rest.pop()
        if need in wanted:
            return True
        if need not in seen:
            seen.add(need)
            rest.extend(nodes[need].needs)
    return False


def _lineage(nodes: Nodes, step: str) -> Iterator[str]:
    here: str | None = step
    while here is not None:
        yield here
        here = nodes[here].parent


def _reads(nodes: Nodes, step: Step, steps: Mapping[str, Step], frames: Frames) -> set[str]:
    """The steps that the targets name, or an `if` that is asked before them.

    What a file or a command lists, any step before may change that has an effect.
    """
    assert step.fan_out is not None
    own = frames.of[step.id]
    named = {name for one in expressions_of_targets(step) for name in _named(one, own)}
    for around in _lineage(nodes, step.id):
        condition = steps[around].condition if around in steps else None
        named |= set() if condition is None else _named(condition, frames.of[around])
    if isinstance(step.fan_out.source, TargetsFile | TargetsRun):
        acting = (other for other, node in nodes.items() if node.leaf and node.effect and not node.final)
        named |= {other for other in acting if comes_before(nodes, other, step.id)}
    return named & nodes.keys()


def _named(expression: Expression, frame: Frame) -> set[str]:
    """The steps that an expression reads, in a file whose names are those of this frame.

    Its inputs are fixed by one, but what they are made of may be known long before.
    """
    paths = [found.path for found in references(expression)]
    named = {f"{frame.prefix}{path[1]}" for path in paths if path[0] == "steps" and len(path) > 1}
    late = any(path[0] == "inputs" and (len(path) < 2 or path[1] not in frame.foreknown) for path in paths)
    return named | {frame.inputs_step} if late and frame.inputs_step else named
