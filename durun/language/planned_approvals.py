"""What a plan says about approvals: which steps come after each, and what the targets of those are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from durun.language.expressions import references
from durun.language.graph import Graph
from durun.language.places import expressions_of_targets
from durun.model.plan import Node
from durun.model.runbook import Expression, Runbook, Step, TargetsFile, TargetsRun


def with_approvals(nodes: Mapping[str, Node], runbook: Runbook) -> Mapping[str, Node]:
    """The nodes; where the runbook asks for approvals, with what is to be known about them."""
    steps = runbook.every_step()
    asking = [step for step in steps if step.call is not None and step.call.action.kind == "approval"]
    if not asking:
        return nodes
    graph = Graph(runbook)
    found = dict(nodes)
    steps = [step for step in steps if not graph.final(step.id)]
    for approval in asking:
        if not graph.final(approval.id):
            after = tuple(step.id for step in steps if _comes_after(graph, step.id, approval.id))
            found[approval.id] = found[approval.id]._replace(after=after)
    for step in steps:
        if step.fan_out is not None:
            found[step.id] = found[step.id]._replace(reads=tuple(sorted(_reads(graph, step, nodes))))
    return found


def _comes_after(graph: Graph, step: str, other: str) -> bool:
    apart = step != other and not graph.within(step, other) and not graph.within(other, step)
    return apart and graph.comes_before(other, step)


def _reads(graph: Graph, step: Step, nodes: Mapping[str, Node]) -> set[str]:
    """The steps that the targets name, or an `if` that is asked before them.

    What a file or a command lists, any step before may change that has an effect.
    """
    assert step.fan_out is not None
    named = {
        str(found.path[1])
        for expression in (*expressions_of_targets(step), *_conditions(graph, step))
        for found in references(expression)
        if found.path[0] == "steps" and len(found.path) > 1
    }
    if isinstance(step.fan_out.source, TargetsFile | TargetsRun):
        acting = (other for other, node in nodes.items() if node.leaf and node.effect)
        named |= {other for other in acting if _comes_after(graph, step.id, other)}
    return named


def _conditions(graph: Graph, step: Step) -> Iterator[Expression]:
    around = (graph.steps[name].condition for name in graph.lineage(step.id))
    return (one for one in around if one is not None)
