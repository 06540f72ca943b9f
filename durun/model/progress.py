"""What follows from plan and facts together: what is open, what runs, what has failed. Kept up event by event.

`decide` looks only at what is open, so that a turn costs what it changes and not what the run is long. A
`Progress` can be built anew from a plan and a state at any time, and is then the same (a test proves it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from durun.model.fan import FanPart
from durun.model.foresight import asked_early
from durun.model.group import GroupPart
from durun.model.parts import FINE, IDLE, Load, Part, TaskPart, being_asked, sum_of
from durun.model.plan import FanOutPolicy, Node, Plan
from durun.model.privilege import Granted, lapsed, wanted_for
from durun.model.state import RunState
from durun.model.task import TaskKey, TaskState, undo_key, undone_by
from durun.model.undo import UndoPart, in_blocks

Path: TypeAlias = tuple[tuple[GroupPart | FanPart, str], ...]
"""The parts around a part from the outside in, each with the name (child or target) under which it goes on."""


class Progress:
    """The parts of a run at work, kept up with its state. `reaping`: privileges are closed, no more."""

    def __init__(self, plan: Plan, state: RunState, *, reaping: bool = False) -> None:
        self.plan = plan
        self.state = state
        self.reaping = reaping
        self.rebuild()

    def rebuild(self) -> None:
        """Build everything anew from plan and state."""
        record = self.state.record
        self._first_leaves: dict[str, tuple[str, ...]] = {}
        self._path: dict[TaskKey, Path] = {}
        self._built_for = self._landmark()
        self._session = record.sessions
        self.parts: dict[TaskKey, TaskPart] = {}
        self.doubts: dict[TaskKey, TaskPart] = {}
        self.waits: dict[TaskKey, TaskPart | FanPart] = {}
        self.fans: dict[TaskKey, FanPart] = {}
        self.early: list[TaskKey] = []
        self.final = record.final_status is not None and not self.reaping
        self.rolling_back = record.rollback_code is not None and not (self.final or self.reaping)
        self.round = record.round if self.final else 0
        steps = not (self.final or self.rolling_back or self.reaping)
        self.lapsed = lapsed(self.plan, self.state) if steps and self.plan.undo else frozenset[TaskKey]()
        names = self.plan.finals if self.final else () if self.rolling_back or self.reaping else self.plan.roots
        self.root = GroupPart([self.plan.nodes[name] for name in names], None, unstoppable=self.final)
        self._open_children(self.root, self.root.ready(), ())
        if steps:
            self.early = [key for key in asked_early(self.plan, self.state) if key not in self.fans]
        self.undo = UndoPart(self.plan, in_blocks(self.plan, self.state) if self.rolling_back else None)
        self.granted = Granted(self.state)
        self.undone = {_undoes(key) for key in self.state.tasks if self._is_undone_by(key)} if self.plan.undo else set()
        if self.rolling_back:
            self._open_begun()
            self._open_undo()
        elif self.plan.undo and not self.final:
            self._open_due()

    def _landmark(self) -> tuple[int, int, bool, bool]:
        record = self.state.record
        return record.sessions, record.round, record.final_status is not None, record.rollback_code is not None

    @property
    def busy(self) -> int:
        """How many tasks run or are being asked about."""
        return self.root.load.busy + self.undo.load.busy + len(self.early)

    def update(self, key: TaskKey | None) -> None:
        """Take in an event that the state has folded: of this task, of this fan-out's targets, or of the run (None)."""
        if self._landmark() != self._built_for:
            self.rebuild()
            return
        if key is not None and self.plan.undo and key in self.state.tasks and not key.round:
            self._note_undone(_undoes(key))
            self.granted.note(key, self.state.tasks[key])
        if key is None or key.round != self.round:
            return
        part = self.parts.get(key)
        if part is not None:
            self._refresh(part)
            return
        if self.plan.is_rollback(key.step):
            self._update_rollback(key)
            return
        task = self.state.tasks.get(key)
        if self.rolling_back or self.reaping or (task is not None and _is_done(task)):
            return
        fan = self._fan_of(key)
        if fan is None or (key.target is None and fan.keys is not None) or fan.standing != "open":
            self.rebuild()
        elif key.target is None:
            self._refresh_fan(fan)
        elif key.target in fan.pending:
            self._begin(fan, key.target)
        else:
            self.rebuild()

    def _update_rollback(self, key: TaskKey) -> None:
        """Take in what happened to a rollback that is not open."""
        if self.undo.closing and self.state.tasks[key].due and key not in self.undo.ended:
            self._open_rollback(key)
        else:
            self.rebuild()

    def at_work(self) -> list[TaskKey]:
        """Every task that runs or is asked about, and every fan-out whose targets are asked for."""
        tasks = [key for key, part in self.parts.items() if part.busy]
        return tasks + [key for key, fan in self.fans.items() if fan.keys is None and fan.load.busy] + self.early

    def walk(self) -> Iterator[TaskPart | FanPart]:
        """Every open task and fan-out in which something new may be started, in the order of the file.

        Nothing is started beside a failure that nobody forgives, nor beside a doubt; nor while a privilege that is
        still needed is being closed, or one can't be. To close one, or to undo something, comes first.
        """
        yield from self.undo.may_go_on()
        if not self.undo.wrong and not self.undo.any_early(self.state):
            yield from self._walk(self.root)

    def wanted_for(self, key: TaskKey) -> frozenset[TaskKey]:
        """The lapsed privileges that are to be granted anew before this task is started."""
        return wanted_for(self.plan, self.state, self.lapsed, key)

    def _walk(self, part: Part) -> Iterator[TaskPart | FanPart]:
        match part:
            case TaskPart():
                yield part
            case GroupPart() if part.inner_severity == FINE:
                for inner in part.children():
                    yield from self._walk(inner)
            case FanPart() if part.inner_severity == FINE:
                for inner in part.may_go_on():
                    yield from self._walk(inner)
                yield part
            case _:
                pass

    # -- building ---------------------------------------------------------------------------------------------

    def _open_children(self, group: GroupPart, children: list[str], path: Path) -> None:
        """Open children whose needs are met; those that have ended already open the next ones."""
        waiting = list(reversed(children))
        while waiting:
            child = waiting.pop()
            part = self._open(child, group.target, (*path, (group, child)))
            if part.standing == "open":
                group.open(child, part)
            waiting.extend(reversed(group.note(child, part)))
            group.load = sum_of(group.load, part.load)

    def _open(self, node_id: str, target: str | None, path: Path) -> Part:
        node = self.plan.nodes[node_id]
        if node.fan_out is not None and target is None:
            return self._open_fan(node, path)
        return self._open_inner(node, target, path)

    def _open_inner(self, node: Node, target: str | None, path: Path) -> TaskPart | GroupPart:
        if node.leaf:
            return self._open_task(node, TaskKey(node.id, target, self.round), path)
        forgiving = node.continue_on_error and node.fan_out is None
        group = GroupPart([self.plan.nodes[child] for child in node.children], target, forgiving=forgiving)
        self._open_children(group, group.ready(), path)
        return group

    def _open_task(self, node: Node, key: TaskKey, path: Path) -> TaskPart:
        part = TaskPart(node, key, self.state.tasks.get(key), self._session)
        if key in self.lapsed:
            part.count_as_done()
        if part.standing == "open":
            self.parts[key] = part
            self._path[key] = path
            self._index(part)
        return part

    def _open_fan(self, node: Node, path: Path) -> FanPart:
        fan = FanPart(node, node.fan_out or FanOutPolicy(), self.round, self._leaves_at_once(node))
        self.fans[fan.stand_in] = fan
        self._path[fan.stand_in] = path
        self._read_fan(fan)
        leaves = self.plan.leaves(node.id)
        for target in fan.keys or ():
            standing = self._glance(leaves, target)
            if standing == "done":
                fan.skip(target)
            elif standing == "open":
                part = self._open_inner(node, target, (*path, (fan, target)))
                fan.begin(target, part)
                fan.load = sum_of(fan.load, part.load)
                fan.note(target)
        return fan

    def _glance(self, leaves: tuple[str, ...], target: str) -> Literal["new", "open", "done"]:
        """How far a target has come, at a glance: most of 100,000 targets are new or done."""
        new = 0
        for leaf in leaves:
            task = self.state.tasks.get(TaskKey(leaf, target, self.round))
            if task is None:
                new += 1
            elif task.status not in ("succeeded", "skipped") and (task.status != "rolled_back" or task.code):
                return "open"
        return "done" if not new else "new" if new == len(leaves) else "open"

    def _read_fan(self, fan: FanPart) -> None:
        """How the fan-out stands by its targets, and by the task that stands for it while people decide on these."""
        resolved = self.state.resolved.get((fan.node.id, self.round))
        holder = self.state.tasks.get(fan.stand_in)
        if resolved is not None:
            fan.resolve(tuple(resolved.index))
            fan.held = bool(resolved.approval) and (holder is None or holder.status != "succeeded")
            if not fan.held:
                return
            if holder is not None and holder.status == "waiting":
                self.waits[fan.stand_in] = fan
        if holder is None:
            return
        if being_asked(holder, self._session):
            fan.load = Load(busy=1, moving=1)
        # Not to know the targets is no attempt that failed: no retry policy looks at it.
        if holder.status == "skipped" or (holder.status == "failed" and fan.forgiving):
            fan.ended = "done"
        elif holder.status in ("failed", "cancelled"):
            fan.ended = "failed"

    def _leaves_at_once(self, node: Node) -> tuple[str, ...]:
        """The leaves of a node that need nothing before them inside it."""
        if node.leaf:
            return (node.id,)
        if node.id not in self._first_leaves:
            children = [self.plan.nodes[child] for child in node.children]
            found = (leaf for child in children if not child.needs for leaf in self._leaves_at_once(child))
            self._first_leaves[node.id] = tuple(found)
        return self._first_leaves[node.id]

    def _open_begun(self) -> None:
        """What is at work already, though by now it may be another's turn: an operator's word has opened a doubt."""
        for key, task in self.state.tasks.items():
            if self.plan.is_rollback(key.step):
                part = TaskPart(self.plan.node(key.step), key, task, self._session)
                if part.load.moving:
                    self._open_rollback(key)

    def _open_due(self) -> None:
        """The privileges that are to be closed."""
        for key, task in self.state.tasks.items():
            # Of a run that is rolled back, what has begun is gone on with.
            begun = task.attempts and self.state.record.rollback_code is not None
            if (task.due or begun) and self._closes(key):
                self._open_rollback(key)

    def _closes(self, key: TaskKey) -> bool:
        """Whether this is the rollback of a task that has granted a privilege, which is open."""
        granted = self.state.tasks.get(_undoes(key)) if self.plan.is_rollback(key.step) else None
        return granted is not None and granted.closes_at is not None

    def _open_undo(self) -> None:
        while keys := self.undo.turn():
            for key in keys:
                self._open_rollback(key)

    def _open_rollback(self, key: TaskKey) -> None:
        self.undo.open(self._open_task(self.plan.node(key.step), key, ()))

    # -- keeping up -------------------------------------------------------------------------------------------

    def _fan_of(self, key: TaskKey) -> FanPart | None:
        node = self.plan.nodes.get(key.step)
        if node is None or node.fan is None:
            return None
        return self.fans.get(TaskKey(node.fan, None, self.round))

    def _index(self, part: TaskPart) -> None:
        task = self.state.tasks.get(part.key)
        if task is not None and task.status == "in_doubt" and part.standing == "open":
            self.doubts[part.key] = part
        else:
            self.doubts.pop(part.key, None)
        if task is not None and task.status == "waiting":
            self.waits[part.key] = part
        else:
            self.waits.pop(part.key, None)

    def may_go_on(self, key: TaskKey) -> bool:
        """Whether nothing around an open task has failed, is in doubt or has ended, and privileges can be closed."""
        if self.undo.closing and self.undo.wrong:
            return False
        return all(around.inner_severity == FINE and not around.has_closed(name) for around, name in self._path[key])

    def _refresh(self, part: TaskPart) -> None:
        before = part.load
        part.refresh(self.state.tasks.get(part.key), self._session)
        self._index(part)
        path = self._path[part.key]
        if part.standing != "open":
            del self.parts[part.key], self._path[part.key]
        if part.node.undoes is None:
            self._rise(path, part, before)
            return
        self.undo.note(part, before)
        if part.standing != "open":
            self._open_undo()

    def _note_undone(self, key: TaskKey) -> None:
        if self._is_undone(key):
            self.undone.add(key)
        else:
            self.undone.discard(key)

    def _is_undone_by(self, key: TaskKey) -> bool:
        """Whether this is a rollback, and it has succeeded, and that is not noted yet."""
        return self.plan.is_rollback(key.step) and self._is_undone(_undoes(key))

    def _is_undone(self, key: TaskKey) -> bool:
        """Whether the rollback of a task has succeeded, and that is not noted yet."""
        rollback, task = self.state.tasks.get(undo_key(key)), self.state.tasks.get(key)
        return (
            rollback is not None
            and task is not None
            and rollback.status == "succeeded"
            and task.status != "rolled_back"
        )

    def _refresh_fan(self, fan: FanPart) -> None:
        before = fan.load
        fan.load = IDLE
        self._read_fan(fan)
        self._rise(self._path[fan.stand_in], fan, before)

    def _begin(self, fan: FanPart, target: str) -> None:
        path: Path = (*self._path[fan.stand_in], (fan, target))
        part = self._open_inner(fan.node, target, path)
        fan.begin(target, part)
        self._rise(path, part, IDLE)

    def _rise(self, path: Path, part: Part, before: Load) -> None:
        """Tell every part around this one, whose load was `before`, from the inside out."""
        change = Load(*(now - then for now, then in zip(part.load, before, strict=True)))
        for depth in range(len(path) - 1, -1, -1):
            around, name = path[depth]
            if around.has_closed(name):
                # Something happened inside of what had ended: what follows from that is not undone piece by piece.
                self.rebuild()
                return
            around.load = sum_of(around.load, change)
            if isinstance(around, FanPart):
                around.note(name)
            else:
                self._open_children(around, around.note(name, part), path[:depth])
            part = around


def _is_done(task: TaskState) -> bool:
    """Whether a step's task that was done stays so, now that it is rolled back."""
    return task.status == "rolled_back" and not task.code


def _undoes(key: TaskKey) -> TaskKey:
    """The task itself, of a task or of its rollback."""
    return key._replace(step=undone_by(key.step))
