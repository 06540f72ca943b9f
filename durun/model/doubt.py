"""What may be done about a task in doubt: ask, repeat, give up on it, or leave it to an operator."""

from __future__ import annotations

from typing import Literal, TypeAlias

from durun.model.plan import FREE_REPEATS, Node
from durun.model.retry import known_until
from durun.model.task import TaskState
from durun.model.tuples import NamedTuple


class AskNow(NamedTuple):
    """Ask the step's verify."""


class AskAt(NamedTuple):
    """Ask the step's verify once more, not before this time (seconds since the epoch)."""

    time: float


class RepeatIt(NamedTuple):
    """A new attempt is safe, because `proof` says so."""

    proof: Literal["verify", "idempotent"]


class GiveUp(NamedTuple):
    """The step says that a doubt is a failure."""


class LeaveIt(NamedTuple):
    """Only an operator can tell, now."""


Way: TypeAlias = AskNow | AskAt | RepeatIt | GiveUp | LeaveIt


def way_out(node: Node, task: TaskState, session: int, now: float) -> Way:
    """What to do about a doubt, in the given session of the run.

    A process that still lives bars everything: what it will have done, nobody can know yet.
    """
    if node.on_in_doubt == "fail" and task.gone:
        return GiveUp()
    if node.on_in_doubt == "ask" or not task.gone:
        return LeaveIt()
    if node.on_in_doubt == "verify" and node.verify is not None:
        if task.asked_in != session or task.answer is None:
            return AskNow()
        if task.answer == "not_done":
            return _not_done(node, task)
    return _same_key_again(node, task, now)


def stuck(node: Node, task: TaskState, session: int) -> bool:
    """Whether this doubt is left to an operator."""
    return isinstance(way_out(node, task, session, task.changed_at), LeaveIt)


def _not_done(node: Node, task: TaskState) -> Way:
    settle = node.verify.settle if node.verify else None
    since = task.not_done_since if task.not_done_since is not None else task.answered_at
    if settle is not None and task.answered_at < since + settle:
        return AskAt(since + settle)
    return RepeatIt("verify") if task.repeats < FREE_REPEATS else LeaveIt()


def _same_key_again(node: Node, task: TaskState, now: float) -> Way:
    """An idempotent step may be repeated while the other side still knows its key."""
    until = known_until(node, task)
    if node.idempotent and (until is None or now <= until) and task.repeats < FREE_REPEATS:
        return RepeatIt("idempotent")
    return LeaveIt()
