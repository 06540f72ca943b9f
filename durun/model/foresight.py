"""What stands after an approval: which targets can be known before people are asked, and what is still to be done."""

from __future__ import annotations

from durun.model.parts import being_asked
from durun.model.plan import Node, Plan, forgiven
from durun.model.state import RunState
from durun.model.task import TaskKey

_DONE = ("succeeded", "skipped", "rolled_back")


def fans_ahead(plan: Plan, approval: Node) -> list[TaskKey]:
    """The stand-ins of the fan-outs that come after an approval, in the order of the file."""
    return [TaskKey(step) for step in approval.after if plan.nodes[step].fan_out is not None]


def unknown(state: RunState, fan: TaskKey) -> bool:
    """Whether the targets of a fan-out are still to be had."""
    if (fan.step, 0) in state.resolved:
        return False
    holder = state.tasks.get(fan)
    return holder is None or holder.status == "pending"


def can_be_known(plan: Plan, state: RunState, fan: TaskKey) -> bool:
    """Whether all is done that the targets of a fan-out are made of."""
    return unknown(state, fan) and all(is_done(plan, state, step) for step in plan.nodes[fan.step].reads)


def asked_early(plan: Plan, state: RunState) -> list[TaskKey]:
    """The stand-ins of fan-outs whose targets are being asked for now."""
    stand_ins = (TaskKey(step) for step, node in plan.nodes.items() if node.fan_out is not None and not node.final)
    session = state.record.sessions
    return [key for key in stand_ins if (holder := state.tasks.get(key)) and being_asked(holder, session)]


def failed_ahead(plan: Plan, state: RunState, approval: Node) -> str | None:
    """Why targets that an approval is about can't be had, if so: then nobody need be asked."""
    for fan in fans_ahead(plan, approval):
        holder = state.tasks.get(fan)
        if holder is not None and holder.status == "failed" and not forgiven(plan, fan.step):
            return f"the targets of {fan.step} can't be had: {holder.reason}"
    return None


def to_be_repeated(plan: Plan, state: RunState, fan: TaskKey) -> str:
    """The approval, the last in the file, that was asked for or given when the targets of a fan-out were not known."""
    asking = [step for step, node in plan.nodes.items() if fan.step in node.after]
    if fan.round or not asking:
        return ""
    given = {key.step for key, task in state.tasks.items() if task.status in ("waiting", "succeeded")}
    return next((step for step in reversed(asking) if step in given), "")


def is_done(plan: Plan, state: RunState, step: str, target: str | None = None) -> bool:
    """Whether all tasks of a step are done, for one target or for all."""
    node = plan.nodes[step]
    if node.fan is not None and target is None:
        resolved = state.resolved.get((node.fan, 0))
        if resolved is None:
            holder = state.tasks.get(TaskKey(node.fan))
            return holder is not None and holder.status == "skipped"
        return all(is_done(plan, state, step, name) for name in resolved.index)
    tasks = (state.tasks.get(TaskKey(leaf, target)) for leaf in plan.leaves(step))
    return all(task is not None and task.status in _DONE for task in tasks)


def outdated(plan: Plan, state: RunState) -> list[TaskKey]:
    """Approvals that were given, of steps of which some are not done: under another runbook they are void."""
    return [
        key
        for key, task in state.tasks.items()
        if task.status == "succeeded"
        and key.round == 0
        and key.step in plan.nodes
        and not all(is_done(plan, state, step, _same(plan, key, step)) for step in plan.nodes[key.step].after)
    ]


def _same(plan: Plan, key: TaskKey, step: str) -> str | None:
    """The target of a step that stands in the same fan-out; None: all of its targets."""
    return key.target if plan.nodes[step].fan == plan.nodes[key.step].fan else None
