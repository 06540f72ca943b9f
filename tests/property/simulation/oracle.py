"""How a run stands and whether something may start in it, read off plan and tasks slowly and plainly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from durun.model.doubt import stuck
from durun.model.plan import Node, Plan
from durun.model.retry import will_retry
from durun.model.state import RunState
from durun.model.task import ROLLBACK, TaskKey, TaskState, undone_by
from property.simulation.world import Broken


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise Broken(what)


class View(NamedTuple):
    """How a step stands, read off the tasks.

    `severity`: 1 failed, 2 in doubt. `over`: nothing moves in it by itself.
    """

    severity: int
    good: bool
    over: bool
    busy: bool = False
    resolving: bool = False
    doubt: bool = False


class Oracle:
    """Looks at a whole run, slowly and plainly."""

    def __init__(self, plan: Plan, state: RunState, *, reaping: bool = False) -> None:
        self.reaping = reaping
        self.plan = plan
        self.state = state
        self.session = state.record.sessions
        self.final = state.record.final_status is not None
        self.round = state.record.round if self.final else 0
        self._seen: dict[tuple[str, str | None], View] = {}

    @property
    def rolling_back(self) -> bool:
        return self.state.record.rollback_code is not None and not (self.final or self.reaping)

    @property
    def roots(self) -> tuple[str, ...]:
        return self.plan.finals if self.final else () if self.rolling_back else self.plan.roots

    # -- a rollback -----------------------------------------------------------------------------------------

    def to_undo(self) -> dict[TaskKey, float]:
        """The tasks that stand and that their rollbacks are meant for, and since when."""
        return {
            key: task.changed_at
            for key, task in self.state.tasks.items()
            if key.round == 0 and key.step in self.plan.undo and self._meant(self.plan.undo[key.step], task)
            if key.target is not None or self.plan.nodes[key.step].fan is None
        }

    @staticmethod
    def _meant(node: Node, task: TaskState) -> bool:
        begun = any(attempt.status != "never_began" for attempt in task.attempts)
        if task.status in ("failed", "cancelled", "pending"):
            return begun and ("failed" in node.when or node.until is not None)
        if task.status == "in_doubt":
            return task.gone and ("in_doubt" in node.when or node.until is not None)
        return task.status == "succeeded" and (
            (node.until is not None and task.how != "found")
            or ("found" if task.how == "found" else "succeeded") in node.when
        )

    def undoing(self, key: TaskKey) -> View:
        """How the rollback of a task stands."""
        return self._task(self.plan.undo[key.step], key.target)

    def bars(self) -> list[TaskKey]:
        """The doubts about which nobody knows whether there is something to undo."""
        there = self.to_undo()
        return [key for key, task in self.state.tasks.items() if task.status == "in_doubt" and key not in there]

    def stuck_closings(self) -> list[TaskKey]:
        """The privileges that could not be closed, or nobody knows."""
        due = [key for key, task in self.state.tasks.items() if task.due and self.plan.is_rollback(key.step)]
        views = {key: self._task(self.plan.node(key.step), key.target) for key in due}
        return [key._replace(step=undone_by(key.step)) for key, view in views.items() if view.over and not view.good]

    def lapsed(self, key: TaskKey) -> bool:
        """Whether a privilege was closed too early, and a resume has gone on without it."""
        task, undo = self.state.tasks.get(key), self.plan.undo.get(key.step)
        if task is None or undo is None or undo.until is None or task.status != "rolled_back" or not task.code:
            return False
        return self.state.tasks[key._replace(step=f"{key.step}{ROLLBACK}")].status == "pending"

    def lapsed_before(self, key: TaskKey) -> list[TaskKey]:
        """The lapsed privileges that may not be missing when something is done for this task."""
        return [one for one in self.state.tasks if self.lapsed(one) and self._spans(one, key)]

    def _spans(self, privilege: TaskKey, key: TaskKey) -> bool:
        """Whether the task comes between the privilege and the end of it, which has not come."""
        undo = self.plan.undo[privilege.step]
        if key.step not in undo.needed_by:
            return False
        inside = undo.fan is not None and self.plan.nodes[key.step].fan == undo.fan
        if inside and key.target != privilege.target:
            return False
        target = privilege.target if self.plan.nodes[undo.until].fan == undo.fan else None
        return not self._over_and_good(undo.until, target)

    def _over_and_good(self, name: str, target: str | None) -> bool:
        """Whether every task of a step has ended and is never done again."""
        for leaf in self.plan.leaves(name):
            node = self.plan.nodes[leaf]
            names = [target] if target is not None or node.fan is None else self.targets(self.plan.nodes[node.fan])
            holder = self.state.tasks.get(TaskKey(node.fan)) if names is None else None
            tasks = [holder] if names is None else [self.state.tasks.get(TaskKey(leaf, one)) for one in names]
            if not all(task is not None and self._stays(node, task, names is None) for task in tasks):
                return False
        return True

    def _stays(self, node: Node, task: TaskState, fan: bool) -> bool:
        if task.status in ("succeeded", "skipped") or (task.status == "rolled_back" and not task.code):
            return True
        over = task.status in ("rolled_back", "cancelled") or (
            task.status == "failed" and (fan or not will_retry(node, task))
        )
        return over and self._pardoned(node)

    def _pardoned(self, node: Node) -> bool:
        return node.continue_on_error or (node.parent is not None and self._pardoned(self.plan.nodes[node.parent]))

    def wants(self, privilege: TaskKey, now: float) -> bool:
        """Whether something could be started now that needs the privilege, if that were there; and nothing runs yet."""
        if any(self._busy(key) and self._spans(privilege, key) for key in self.state.tasks):
            return False
        return any(self._could_start(key, now) for key in self._candidates(privilege) if self._spans(privilege, key))

    def _busy(self, key: TaskKey) -> bool:
        task = self.state.tasks[key]
        return task.status == "running" or (task.probe is not None and task.probe.session == self.session)

    def _candidates(self, privilege: TaskKey) -> Iterator[TaskKey]:
        for name in self.plan.undo[privilege.step].needed_by:
            node = self.plan.nodes[name]
            if node.fan_out is not None and self.targets(node) is None:
                yield TaskKey(name)
            elif node.leaf:
                for target in [None] if node.fan is None else self.targets(self.plan.nodes[node.fan]) or ():
                    yield TaskKey(name, target)

    def _could_start(self, key: TaskKey, now: float) -> bool:
        task = self.state.tasks.get(key)
        polls = task is not None and task.waiting is not None and task.waiting.to_be_asked(now)
        if task is not None and task.status != "pending" and not polls:
            return False
        if task is not None and task.not_before is not None and task.not_before > now:
            return False
        try:
            self.check_move(key)
        except Broken:
            return self._early(key)
        return True

    def _early(self, fan: TaskKey) -> bool:
        """Whether these are targets that are wanted before people are asked."""
        if self.plan.nodes[fan.step].fan_out is None:
            return False
        asking = [name for name, node in self.plan.nodes.items() if fan.step in node.after]
        return any(self._could_start(TaskKey(name), 0) for name in asking)

    @property
    def held(self) -> bool:
        """Whether no step goes on for the sake of a privilege: one is, or can't be, closed."""
        closing = any(task.early and task.status != "succeeded" for task in self.state.tasks.values())
        return not self.final and bool(closing or self.stuck_closings())

    def ended(self, name: str, target: str | None) -> bool:
        """Whether every task of a step has ended."""
        return all(self._leaf_ended(self.plan.nodes[leaf], target) for leaf in self.plan.leaves(name))

    def _leaf_ended(self, node: Node, target: str | None) -> bool:
        names = [target] if target is not None or node.fan is None else self.targets(self.plan.nodes[node.fan])
        if names is None:
            holder = self.state.tasks.get(TaskKey(node.fan))
            return holder is not None and holder.status in ("skipped", "failed")
        views = [self._task(node, one) for one in names]
        return all(view.over and not view.doubt for view in views)

    def overdue(self, now: float) -> list[TaskKey]:
        """The privileges that succeeded and must be closed by now."""
        found = []
        for key, task in self.state.tasks.items():
            if task.closes_at is None or task.status != "succeeded" or task.probe is not None:
                continue
            until = self.plan.undo[key.step].until
            beside = self.plan.nodes[until].fan == self.plan.nodes[key.step].fan
            if task.closes_at <= now or self.ended(until, key.target if beside else None):
                found.append(key)
        return found

    def check_undo(self, undo: TaskKey) -> None:
        """Whether it is this rollback's turn: all that came later has had it, but the other targets of a fan-out."""
        key = undo._replace(step=undone_by(undo.step))
        if not self.rolling_back:
            task = self.state.tasks[undo]
            closing = (task.due or task.attempts) and self.state.tasks[key].closes_at is not None
            promise(closing, f"{undo} closes what is not to be closed")
            return
        there = self.to_undo()
        promise(self.rolling_back and key in there, f"{undo} undoes what is not to be undone")
        fan = self.plan.undo[key.step].fan
        for other, since in there.items():
            beside = fan is not None and self.plan.undo[other.step].fan == fan
            if beside and other.target != key.target:
                continue
            later = since > there[key] if beside else self._place(other) > self._place(key)
            promise(not later or self.undoing(other).over, f"{undo} before {other}, which is newer")

    def _place(self, key: TaskKey) -> float:
        """When a task was done; of a fan-out, when the newest of all its tasks was that are, or were, to be undone."""
        fan = self.plan.undo[key.step].fan
        if fan is None:
            return self.state.tasks[key].changed_at
        found = {other for other, task in self.state.tasks.items() if task.status == "rolled_back"} | {*self.to_undo()}
        return max(self.state.tasks[one].changed_at for one in found if self.plan.undo[one.step].fan == fan)

    def view(self, name: str, target: str | None) -> View:
        if (name, target) not in self._seen:
            self._seen[name, target] = self._view(self.plan.nodes[name], target)
        return self._seen[name, target]

    def _view(self, node: Node, target: str | None) -> View:
        if node.fan_out is not None and target is None:
            return self._fan(node)
        if node.leaf:
            return self._task(node, target)
        return self._group([self.view(child, target) for child in node.children], self.forgives(node))

    def forgives(self, node: Node) -> bool:
        return node.continue_on_error and node.fan_out is None

    def _task(self, node: Node, target: str | None) -> View:
        task = self.state.tasks.get(TaskKey(node.id, target, self.round))
        if task is None:
            return View(0, False, False)
        busy = task.status == "running" or (task.probe is not None and task.probe.session == self.session)
        if task.status in ("succeeded", "skipped") or (task.status == "rolled_back" and not task.code):
            return View(0, True, True)
        if task.status == "rolled_back" and self.lapsed(TaskKey(node.id, target, self.round)):
            return View(0, True, True)
        if task.status == "rolled_back":
            return View(0 if self.forgives(node) else 1, self.forgives(node), True)
        if task.status == "cancelled" or (task.status == "failed" and not will_retry(node, task)):
            forgiven = task.status == "failed" and self.forgives(node)
            return View(0 if forgiven else 1, forgiven, True)
        if task.status == "in_doubt":
            left = stuck(node, task, self.session)
            return View(2, False, left and not busy, busy, not left, True)
        return View(0, False, False, busy)

    def _group(self, views: list[View], forgiving: bool) -> View:
        inner = max((view.severity for view in views), default=0)
        busy = any(view.busy for view in views)
        resolving = any(view.resolving for view in views)
        doubt = any(view.doubt for view in views)
        closed = inner > 0 and not busy and not resolving
        good = (inner == 0 and all(view.good for view in views)) or (inner == 1 and forgiving and closed and not doubt)
        if inner == 1 and forgiving:
            inner = 2 if closed and doubt else 0
        return View(inner, good, good or closed, busy, resolving, doubt)

    def _fan(self, node: Node) -> View:
        names = self.targets(node)
        if names is None:
            holder = self.state.tasks.get(TaskKey(node.id, None, self.round))
            if holder is None or holder.status == "pending":
                busy = bool(holder and holder.probe and holder.probe.session == self.session)
                return View(0, False, False, busy)
            if holder.status == "failed" and not self.final and not self.reached(node):
                return View(0, False, False)  # it is not reached yet: it was wanted for an approval before it
            good = holder.status == "skipped" or node.continue_on_error
            return View(0 if good else 1, good, True)
        holder = self.state.tasks.get(TaskKey(node.id, None, self.round))
        if self.state.resolved[node.id, self.round].approval and (holder is None or holder.status != "succeeded"):
            denied = holder is not None and holder.status in ("failed", "cancelled")
            good = denied and node.continue_on_error
            return View(1 if denied and not good else 0, good, denied)
        views = [self.view(node.id, name) for name in names]
        whole = all(view.over for view in views)
        inner = max((view.severity for view in views), default=0) if whole else self.fan_severity(node)
        busy, resolving = any(view.busy for view in views), any(view.resolving for view in views)
        closed = inner > 0 and not busy and not resolving
        good = (inner == 0 and whole) or (inner == 1 and node.continue_on_error and closed)
        doubt = any(view.doubt for view in views)
        return View(0 if inner == 1 and node.continue_on_error else inner, good, good or closed, busy, resolving, doubt)

    def reached(self, node: Node | None) -> bool:
        """Whether all that a step needs, and the groups around it, has gone well."""
        while node is not None:
            needs = [self.plan.nodes[need] for need in node.needs]
            if not all(self.view(need.id, None).good and self.reached(need) for need in needs):
                return False
            node = self.plan.nodes[node.parent] if node.parent else None
        return True

    def done(self, step: str) -> bool:
        """Whether every task of a step is done, for all targets."""
        node = self.plan.nodes[step]
        names: list[str | None] = [None]
        if node.fan is not None:
            resolved = self.state.resolved.get((node.fan, 0))
            holder = self.state.tasks.get(TaskKey(node.fan))
            if resolved is None:
                return holder is not None and holder.status == "skipped"
            names = list(resolved.index)
        tasks = [self.state.tasks.get(TaskKey(leaf, name)) for leaf in self.plan.leaves(step) for name in names]
        return all(task is not None and task.status in ("succeeded", "skipped", "rolled_back") for task in tasks)

    def targets(self, node: Node) -> list[str] | None:
        resolved = self.state.resolved.get((node.id, self.round))
        return None if resolved is None else list(resolved.index)

    def fan_severity(self, node: Node) -> int:
        """Above 0 when more targets than max_failures stand failed or in doubt."""
        names = self.targets(node) or []
        bad = [view.severity for view in (self.view(node.id, name) for name in names) if view.severity]
        return max(bad) if len(bad) > node.fan_out.max_failures.of(len(names)) else 0

    # -- a start --------------------------------------------------------------------------------------------

    def check_move(self, key: TaskKey) -> None:
        """Whether something new may be done for this task, by what stands around it."""
        if self.plan.is_rollback(key.step):
            self.check_undo(key)
            return
        promise(key.round == self.round, f"{key} of another round")
        node: Node | None = self.plan.nodes[key.step]
        while node is not None:
            inside = node.fan is not None and node.fan != node.id
            target = key.target if inside else None
            for need in node.needs:
                view = self.view(need, target)
                kept = view.good or (node.parent is None and self.final and view.over and view.severity < 2)
                if not kept:
                    raise Broken(f"{key}: {node.id} needs {need}, which stands {view}")
            siblings = self.plan.nodes[node.parent].children if node.parent else self.roots
            for sibling in siblings:
                severity = self.view(sibling, target).severity
                allowed = 1 if node.parent is None and self.final else 0
                if severity > allowed:
                    raise Broken(f"{key} beside {sibling}, which stands {severity}")
            if node.fan == node.id and key.target is not None:
                self._check_target(node, key)
            node = self.plan.nodes[node.parent] if node.parent else None

    @property
    def stopped(self) -> bool:
        """Whether something stands at the top beside which nothing goes on."""
        allowed = 1 if self.final else 0
        return any(self.view(root, None).severity > allowed for root in self.roots)

    def check_beside(self, key: TaskKey) -> None:
        promise(self.goes_on(key), f"{key} goes on beside what has failed, is in doubt or is over")

    def goes_on(self, key: TaskKey) -> bool:
        """Whether nothing around a task that has begun has failed, is in doubt, or has ended."""
        node: Node | None = self.plan.nodes[key.step]
        while node is not None:
            inside = node.fan is not None and node.fan != node.id
            target = key.target if inside else None
            siblings = self.plan.nodes[node.parent].children if node.parent else self.roots
            allowed = 1 if node.parent is None and self.final else 0
            if any(self.view(sibling, target).severity > allowed for sibling in siblings):
                return False
            if node.fan == node.id and key.target is not None and self.fan_severity(node) > 0:
                return False
            if not self.final and not all(self.view(need, target).good for need in node.needs):
                return False  # what it needs is wanted again
            node = self.plan.nodes[node.parent] if node.parent else None
        return True

    def _check_target(self, node: Node, key: TaskKey) -> None:
        promise(self.fan_severity(node) == 0, f"{key}: more than max_failures stand")
        names = self.targets(node)
        if self.view(node.id, key.target).busy:
            return  # it works already, and goes on
        place, starts = names.index(key.target), node.fan_out.waves(len(names))
        begin = max(start for start in starts if start <= place)
        for earlier in names[:begin]:
            promise(self.view(node.id, earlier).over, f"{key} before {earlier} of an earlier wave ended")

    def begun(self, node: Node, target: str) -> bool:
        return any(TaskKey(leaf, target, self.round) in self.state.tasks for leaf in self.plan.leaves(node.id))
