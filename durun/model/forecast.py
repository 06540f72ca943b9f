"""What will become of every task of a run, as far as plan and facts tell: nothing is decided here, and nothing done.

It takes for granted that all goes well from now on. So what may not go on, for a doubt or a failure stands before it,
is told beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from durun.model.clock import to_iso
from durun.model.doubt import AskAt, AskNow, GiveUp, RepeatIt, way_out
from durun.model.holding import Holds, holds
from durun.model.plan import Node, Plan
from durun.model.privilege import lapsed
from durun.model.retry import will_retry
from durun.model.state import RunState
from durun.model.status import FINAL, spoken
from durun.model.task import TaskKey, TaskState
from durun.model.tuples import NamedTuple

Verdict = Literal[
    "done",
    "running",
    "waiting",
    "in_doubt",
    "will_be_adopted",
    "will_be_verified",
    "will_be_undone",
    "will_run",
    "may_run",
    "will_be_skipped",
    "failed",
    "blocked",
    "will_not_run",
]
"""`will_be_adopted`: it ran when durun was lost, and how it ended is to be found out. `will_be_verified`: its `verify`
is asked first. `may_run`: its `if` decides, which can't be told now."""

OVER: frozenset[Verdict] = frozenset({"done", "will_be_skipped", "failed", "will_not_run"})
"""What nothing more is done about."""


class Forecast(NamedTuple):
    """What will become of one task, and why (or nothing, where there is nothing to say)."""

    step: str
    target: str | None
    verdict: Verdict
    why: str = ""


class Condition(NamedTuple):
    """The `if`s around a step, before it is reached: `holds` is None where that can't be told. `source`: as written."""

    holds: bool | None
    source: str


class Facts(NamedTuple):
    """What is known: the state of the run (None: there is none yet), each fan-out's targets, each step's `if`s.

    `driven`: a process drives the run now. A fan-out that is missing in `targets` has none that are known. `failed`:
    why tasks had failed that are tried again.
    """

    state: RunState | None
    targets: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, Condition]
    driven: bool
    now: float
    failed: Mapping[TaskKey, str] = {}


def forecast(plan: Plan, facts: Facts) -> Iterator[Forecast]:
    """Every task in file order, `finally` last; a step whose targets are not known is one task without a target."""
    record = facts.state.record if facts.state is not None else None
    rolls_back = record is not None and (record.rollback_requested or record.status == "rolling_back")
    held = holds(plan, facts.state) if facts.state is not None else Holds()
    again = _to_be_granted(plan, facts.state) if not rolls_back else frozenset[TaskKey]()
    before: Mapping[TaskKey, TaskState] = facts.state.tasks if facts.state is not None else {}
    for roots, final in ((plan.roots, False), (plan.finals, True)):
        round_ = facts.state.record.round if final and facts.state is not None else 0
        for leaf in plan.all_leaves(roots):
            node = plan.nodes[leaf]
            undo = plan.undo.get(leaf) if rolls_back else None
            targets = (None,) if node.fan is None else facts.targets.get(node.fan, (None,))
            if not targets:
                resolved = facts.state is not None and (str(node.fan), round_) in facts.state.resolved
                yield Forecast(leaf, None, "done" if resolved else "will_be_skipped", "no targets")
            for target in targets:
                key = TaskKey(leaf, target, round_)
                # As long as its targets are not known, the fan-out's own task stands for all that is in it.
                unknown = node.fan is not None and target is None
                task = before.get(TaskKey(str(node.fan), None, round_) if unknown else key)
                task = task if task is not None else _decided_on(facts.state, node, round_)
                if key in again:
                    verdict, why = _granted_anew(node, key, facts, held)
                else:
                    verdict, why = _of_task(node, undo, key, task, facts, held)
                yield Forecast(leaf, target, verdict, why)


def _to_be_granted(plan: Plan, state: RunState | None) -> frozenset[TaskKey]:
    """The privileges that have lapsed, of a run that has not ended for good."""
    return frozenset() if state is None or state.record.status in FINAL else lapsed(plan, state)


def _decided_on(state: RunState | None, node: Node, round_: int) -> TaskState | None:
    """The task that stands for a fan-out, as long as people decide on its targets."""
    resolved = state.resolved.get((str(node.fan), round_)) if state is not None else None
    if state is None or resolved is None or not resolved.approval:
        return None
    stand_in = state.tasks.get(TaskKey(str(node.fan), None, round_))
    return stand_in if stand_in is not None and stand_in.status in ("waiting", "failed") else None


def _of_task(
    node: Node, undo: Node | None, key: TaskKey, task: TaskState | None, facts: Facts, holds: Holds
) -> tuple[Verdict, str]:
    retried = (
        task is not None
        and task.status == "failed"
        and will_retry(node, task)
        and (node.fan is None or key.target is not None)
    )
    if task is not None and task.status != "pending" and not retried:
        return _begun(node, undo, task, facts)
    if facts.state is not None and facts.state.record.status in FINAL:
        return "will_not_run", f"the run has ended: {spoken(facts.state.record.status)}"
    if (hold := holds.on(node, key.target)) is not None:
        return hold.verdict, hold.why
    condition = facts.conditions.get(node.id)
    if task is None and condition is not None and condition.holds is False:
        return "will_be_skipped", f"if is false: {condition.source}"
    if task is None and node.verify is not None and node.verify.before:
        return "will_be_verified", "asked first whether it is done already"
    if task is None and condition is not None and condition.holds is None:
        return "may_run", f"if {condition.source}"
    return "will_run", _again(task, facts.failed.get(key, ""))


def _granted_anew(node: Node, key: TaskKey, facts: Facts, holds: Holds) -> tuple[Verdict, str]:
    """A privilege that was closed before its time. Its `if`s are not asked again."""
    verdict, why = _of_task(node, None, key, None, facts._replace(conditions={}), holds)
    return verdict, "again, before the next step that needs it" if verdict == "will_run" else why


def _again(task: TaskState | None, failed: str) -> str:
    if task is None or not task.attempts:
        return ""
    return f"again: {failed or task.reason}" if failed or task.reason else "again"


def _begun(node: Node, undo: Node | None, task: TaskState, facts: Facts) -> tuple[Verdict, str]:
    """A task to which something has happened. `undo`: what undoes it, if the run is being rolled back."""
    match task.status:
        case "running":
            return ("running", "") if facts.driven else ("will_be_adopted", _if_unknown(node))
        case "waiting":
            until = task.waiting.until if task.waiting is not None else None
            asked = f"for {task.waiting.kind}" if task.waiting is not None and task.waiting.kind != "time" else ""
            return "waiting", " ".join(part for part in (asked, f"until {to_iso(until)}" if until else "") if part)
        case "in_doubt":
            return _doubt(node, task, facts)
        case "failed" | "cancelled":
            return "failed", task.reason or task.status
        case "skipped":
            return "done", f"skipped: {task.reason}"
        case _:
            if undo is not None and task.status in undo.when:
                return "will_be_undone", ""
            how = "rolled back" if task.status == "rolled_back" else task.how
            return "done", "" if how in (None, "ran") else str(how)


def _if_unknown(node: Node) -> str:
    """What happens, should nobody know how it ended."""
    if node.on_in_doubt == "fail":
        return "it ran when durun was lost; if its end can't be told, it has failed"
    if node.on_in_doubt == "verify" and node.verify is not None:
        return "it ran when durun was lost; if its end can't be told, verify is asked"
    if node.on_in_doubt != "ask" and node.idempotent:
        return "it ran when durun was lost; if its end can't be told, it is repeated with the same key"
    return "it ran when durun was lost; if its end can't be told, it is in doubt"


def _doubt(node: Node, task: TaskState, facts: Facts) -> tuple[Verdict, str]:
    session = facts.state.record.sessions if facts.state is not None else 0
    match way_out(node, task, session, facts.now):
        case AskNow() | AskAt():
            return "will_be_verified", f"in doubt: {task.reason}"
        case RepeatIt(proof):
            return "will_run", f"again: safe by {proof}"
        case GiveUp():
            return "failed", f"in doubt, and its step says that this is a failure: {task.reason}"
        case _:
            alive = f"; process {task.pid} lives on" if task.pid is not None else ""
            return "in_doubt", f"{task.reason}{alive}"
