"""What has happened in a history, by its events alone, and what durun promises of each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from durun.model import event as ev
from durun.model.plan import FREE_REPEATS, Node, Plan
from durun.model.status import FINAL
from durun.model.task import ROLLBACK, TaskKey
from property.simulation.oracle import Oracle, promise
from property.simulation.store import Store
from property.simulation.world import World


class Answered(NamedTuple):
    """The newest answer about a doubt, who asked, and since when it has been the same."""

    answer: str
    session: int
    since: float


class Told:
    """What the events of one history have said so far."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.trace: list[str] = []
        self._finished: set[TaskKey] = set()
        self._withdrawn: set[TaskKey] = set()
        self._asked_at: dict[TaskKey, int] = {}
        self._known_at: dict[str, int] = {}
        self._licence: dict[TaskKey, str] = {}
        self._nonce: dict[TaskKey, str] = {}
        self._failures: Counter[TaskKey] = Counter()
        self._fences: Counter[TaskKey] = Counter()
        self._answers: dict[TaskKey, Answered] = {}
        self._first: dict[TaskKey, float] = {}
        self._doubted: dict[TaskKey, float] = {}
        self._repeats: Counter[TaskKey] = Counter()
        self._rests: dict[TaskKey, float] = {}
        self._given_up: set[TaskKey] = set()
        self._until: dict[TaskKey, float | None] = {}
        self._asked: dict[TaskKey, dict[str, Any]] = {}
        self._said: dict[TaskKey, list[ev.TaskDecided]] = {}
        self._polls: dict[TaskKey, ev.TaskWaiting] = {}
        self._session = 0
        self._round = 1
        self._finally: set[int] = set()
        self._cancelled = self._undo = self._reaping = False
        self._undoing: int | None = None
        self._undone: set[TaskKey] = set()
        self._made_due: set[TaskKey] = set()

    def foreign(self, store: Store, event: ev.Event, now: float) -> None:
        """Another process appends a request."""
        store.append(store.head, [event], now)
        self.committed(store.events[-1:], store)

    def committed(self, events: Sequence[ev.Stamped], store: Store) -> None:
        for stamped in events:
            self.trace.append(f"{stamped.sequence:4} {stamped.at:8.1f} {stamped.event}")
            event = stamped.event
            if isinstance(event, ev.TaskDue | ev.TaskReopened):
                self._privilege(ev.key_of(event), event)
            elif isinstance(event, ev.TaskRolledBack):
                self._rolled_back(ev.key_of(event), event)
            elif isinstance(event, ev.TaskEvent):
                self._task_event(event, stamped.at)
            else:
                self._run_event(event, store)

    def _check_seen(self, key: TaskKey) -> None:
        """No target is begun that those who approved have not seen."""
        fan = self.plan.nodes[key.step].fan if key.step in self.plan.nodes else None
        if key.round or key.target is None or fan is None or TaskKey(fan) in self._finished:
            return
        for name in (name for name, node in self.plan.nodes.items() if fan in node.after):
            for asked, when in self._asked_at.items():
                seen = asked.step != name or asked not in self._finished or when > self._known_at[fan]
                promise(seen, f"{key} begins, and {asked} was approved when its targets were not known")

    def _run_event(self, event: ev.Event, store: Store) -> None:
        match event:
            case ev.SessionStarted():
                self._session, self._reaping = event.session, event.reason == "reap"
            case ev.TargetsResolved():
                self._known_at[event.step] = len(self.trace)
            case ev.RoundStarted():
                self._round = event.round
                self._cancelled = self._undo = False
            case ev.CancelRequested():
                self._cancelled, self._undo = True, False
            case ev.RollbackRequested():
                self._cancelled, self._undo = False, True
            case ev.RollbackStarted():
                promise(not self._undoing, "a second rollback begins")
                there = [key for key in Oracle(self.plan, store.state()).to_undo() if not self._was_due(key)]
                promise(event.tasks == len(there), f"{event} counts wrongly")
                self._undo, self._undoing = False, event.tasks
            case ev.FinallyStarted():
                promise(event.round == self._round, "finally of another round")
                promise(event.round not in self._finally, f"finally twice in round {event.round}")
                self._finally.add(event.round)
            case ev.RunEnded():
                promise(not self.plan.finals or self._round in self._finally, "ended without finally")
                codes = {"succeeded": {0}, "cancelled": {12}, "failed": {1, 4, 6}}
                codes |= {"rolled_back": {0, 1, 4, 6}, "rollback_failed": {1}}
                promise(event.exit_code in codes[event.status], f"{event.status} with exit code {event.exit_code}")
                waits = [key for key, task in store.tasks.items() if task.status == "waiting"]
                promise(
                    not waits if event.status in FINAL else not any(key.round for key in waits), f"{waits} for ever"
                )
                failed = {
                    task.code for key, task in store.tasks.items() if task.status == "failed" and self._counts(key)
                }
                if self._undoing is None:
                    unstarted = event.status == "failed" and "not_started" in failed
                    denied = event.status == "failed" and bool(failed & {"denied", "expired"})
                    promise((event.exit_code == 4) == unstarted, "exit code 4")
                    promise((event.exit_code == 6) == (denied and not unstarted), "exit code 6")
            case _:
                pass

    def _task_event(self, event: ev.TaskEvent, at: float) -> None:
        key = ev.key_of(event)
        promise(key not in self._finished, f"{key} had finished: {event}")
        timely = (key.round == 0) == (self._round not in self._finally) or self.plan.is_rollback(key.step)
        promise(timely or not isinstance(event, ev.TaskStarted), f"{event} outside its time")
        node = self.plan.node(key.step)
        match event:
            case ev.TaskSucceeded() | ev.TaskSkipped():
                promise(key not in self._asked or self._answer(key, at) == "yes", f"{key}: nobody has said yes")
                self._finished.add(key)
            case ev.TaskWaiting() | ev.RequestWithdrawn() | ev.TaskDecided():
                self._waits(key, event)
            case ev.TaskStarted():
                self._check_seen(key)
                promise(self._licence.get(key, "new") != "", f"{key} starts, and its last attempt is not resolved")
                promise(not self.world.lives(key), f"{key} starts while its last attempt lives")
                promise(at >= self._rests.pop(key, at) - 1e-6, f"{key} is repeated without a pause")
                self._doubted.pop(key, None)
                self._licence[key] = ""
                self._nonce[key] = event.nonce
                self._first.setdefault(key, at)
            case ev.TaskNeverBegan():
                self._fences[key] += 1
                promise(self._nonce[key] not in self.world.processes, f"{key} did begin")
                promise(self._fences[key] <= FREE_REPEATS, f"{key} never began {self._fences[key]} times")
                self._licence[key] = "never began"
            case ev.TaskFailed():
                if key in self._asked:
                    self._withdrawn.add(key)
                self._failures[key] += 1 if event.retryable else 1000
                self._given_up |= {key} if event.code in ("in_doubt", "verify") else set()
            case ev.TaskRetried():
                self._polls.pop(key, None)
                self._retried(key, node, event)
            case ev.ProbeAnswered(purpose="in_doubt"):
                last = self._answers.get(key)
                since = last.since if last is not None and last.answer == event.answer else at
                self._answers[key] = Answered(event.answer, self._session, since)
            case ev.TaskInDoubt():
                self._answers.pop(key, None)
                self._doubted.setdefault(key, at)
                self._licence[key] = ""
            case ev.TaskRepeated():
                self._repeated(key, node, event, at)
                self._rest(key, node)
                self._licence[key] = event.proof
            case ev.TaskSettled():
                self._licence[key] = "settled" if event.resolution == "not_done" else ""
                self._failures[key] += 1000 if event.resolution == "failed" else 0
                self._finished |= {key} if event.resolution == "done" else set()
            case _:
                pass

    def _waits(self, key: TaskKey, event: ev.TaskWaiting | ev.RequestWithdrawn | ev.TaskDecided) -> None:
        match event:
            case ev.TaskWaiting():
                begun = key in self._until or key in self._polls
                promise(not begun or key in self._withdrawn, f"{key} begins to wait anew")
                self._withdrawn.discard(key)
                if event.kind == "poll":
                    self._polls[key] = event
                    return
                self._until[key] = event.until
                self._check_seen(key)
                if event.asked is not None:
                    self._asked_at[key] = len(self.trace)
                    self._asked[key], self._said[key] = event.asked, []
            case ev.RequestWithdrawn():
                self._withdrawn.add(key)
            case ev.TaskDecided():
                promise(event.nonce == self._asked[key]["nonce"], f"{event} counts, and something else is asked")
                self._said[key].append(event)

    def _rolled_back(self, key: TaskKey, event: ev.TaskRolledBack) -> None:
        if key in self._undone and not event.early:
            return  # what it was closed too early for has ended meanwhile
        undo = key._replace(step=f"{key.step}{ROLLBACK}")
        promise(undo in self._finished and key not in self._undone, f"{event}, and its rollback has not succeeded")
        self._undone.add(key)

    def _was_due(self, key: TaskKey) -> bool:
        return key._replace(step=f"{key.step}{ROLLBACK}") in self._made_due

    def _privilege(self, key: TaskKey, event: ev.TaskDue | ev.TaskReopened) -> None:
        if isinstance(event, ev.TaskDue):
            self._made_due |= {key} if self._undoing is None else set()
            return
        self._finished.discard(key)
        self._undone.discard(key)
        self._failures[key] = self._fences[key] = self._repeats[key] = 0
        self._answers.pop(key, None)
        self._first.pop(key, None)
        self._licence[key] = "again"
        self.world.effects.pop(key, None)

    def _repeated(self, key: TaskKey, node: Node, event: ev.TaskRepeated, at: float) -> None:
        if event.proof == "idempotent":
            ttl = node.idempotent_ttl
            promise(node.idempotent, f"{key} repeated, and is not idempotent")
            promise(ttl is None or at - self._first[key] <= ttl, f"{key} repeated after its ttl")
            return
        answer = self._answers.get(key)
        proved = answer is not None and answer.answer == "not_done" and answer.session == self._session
        promise(proved, f"{key} repeated without proof: {answer}")
        promise(at - answer.since >= (node.verify.settle or 0) - 1e-6, f"{key} repeated before it had settled")

    def _rest(self, key: TaskKey, node: Node) -> None:
        """From when on it may be repeated, jitter aside. A key that is known for so long only is not waited for."""
        self._repeats[key] += 1
        if node.idempotent_ttl is None:
            wrong = self._failures[key] + self._repeats[key]
            pause = min(node.retry.max_delay, node.retry.delay * node.retry.backoff ** (wrong - 1))
            self._rests[key] = self._doubted[key] + pause

    def _retried(self, key: TaskKey, node: Node, event: ev.TaskRetried) -> None:
        if event.fresh:
            promise(key.round == 0, f"{key} of finally gets a fresh budget")
            forgiven = not self.plan.is_rollback(key.step) and self._forgiven(key.step)
            promise(not forgiven, f"{key} is forgiven, and gets a fresh budget")
            self._failures[key] = self._fences[key] = self._repeats[key] = 0
        promise(self._failures[key] < node.retry.max_attempts, f"{key} retried without a budget")
        self._licence[key] = "fresh" if event.fresh else "retry"

    def _counts(self, key: TaskKey) -> bool:
        """Whether a failure of the task makes the run failed."""
        if key.round:
            return key.round == self._round
        return self.plan.is_rollback(key.step) or not self._forgiven(key.step)

    def _forgiven(self, step: str) -> bool:
        node = self.plan.nodes[step]
        return node.continue_on_error or (node.parent is not None and self._forgiven(node.parent))

    def _answer(self, key: TaskKey, now: float) -> str:
        """What people have said to the newest question: `yes`, `denied`, `expired`, or nothing yet."""
        said, until = self._said[key], self._until[key]
        if any(one.verdict == "reject" for one in said):
            return "denied"
        if len({one.by["uid"] for one in said}) >= self._asked[key]["min_approvals"]:
            return "yes"
        return "expired" if until is not None and until <= now else ""
