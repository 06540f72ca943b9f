"""What follows from plan and facts together: what is open, what runs, what has failed. Kept up event by event.

`decide` looks only at what is open, so that a turn costs what it changes and not what the run is long. A
`Progress` can be built anew from a plan and a state at any time, and is then the same (a test proves it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from durun.model.parts import FINE, FanPart, GroupPart, Part, TaskPart
from durun.model.plan import FanOutPolicy, Node, Plan
from durun.model.state import RunState
from durun.model.task import TaskKey

Path: TypeAlias = tuple[tuple[GroupPart | FanPart, str], ...]
"""The parts around a part from the outside in, each with the name (child or target) under which it goes on."""


class Progress:
    """The parts of a run at work, kept up with its state."""

    def __init__(self, plan: Plan, state: RunState) -> None:
        self.plan = plan
        self.state = state
        self.rebuild()

    def rebuild(self) -> None:
        """Build everything anew from plan and state."""
        record = self.state.record
        self._first_leaves: dict[str, tuple[str, ...]] = {}
        self._path: dict[TaskKey, Path] = {}
        self._session = record.sessions
        self.parts: dict[TaskKey, TaskPart] = {}
        self.doubts: dict[TaskKey, TaskPart] = {}
        self.retries: dict[TaskKey, TaskPart] = {}
        self.final = record.final_status is not None
        self.round = record.round if self.final else 0
        names = self.plan.finals if self.final else self.plan.roots
        self.root = GroupPart([self.plan.nodes[name] for name in names], None, unstoppable=self.final)
        self._open_children(self.root, self.root.ready(), ())

    @property
    def busy(self) -> int:
        """How many tasks run or are being asked about."""
        return self.root.busy

    def update(self, key: TaskKey) -> None:
        """Take in that the state of this task, or the targets of this fan-out, changed."""
        if key.round != self.round:
            return
        part = self.parts.get(key)
        if part is not None:
            self._refresh(part)
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

    def walk(self) -> Iterator[tuple[Part, bool]]:
        """Every open task and fan-out, in file order, and whether something new may be started in it."""
        yield from self._walk(self.root, self.root.inner_severity == FINE)

    def _walk(self, group: GroupPart, free: bool) -> Iterator[tuple[Part, bool]]:
        for part in list(group.open.values()):
            match part:
                case TaskPart():
                    yield part, free
                case GroupPart():
                    yield from self._walk(part, free and part.inner_severity == FINE)
                case FanPart():
                    inner = free and part.inner_severity == FINE
                    for target in list(part.active.values()):
                        if isinstance(target, TaskPart):
                            yield target, inner
                        else:
                            yield from self._walk(target, inner and target.inner_severity == FINE)
                    yield part, free

    # -- building ---------------------------------------------------------------------------------------------

    def _open_children(self, group: GroupPart, children: list[str], path: Path) -> None:
        """Open children whose needs are met; those that have ended already open the next ones."""
        waiting = list(reversed(children))
        while waiting:
            child = waiting.pop()
            part = self._open(child, group.target, (*path, (group, child)))
            if part.standing == "open":
                group.open[child] = part
            waiting.extend(reversed(group.note(child, part)))
            group.busy += part.busy

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
        if part.standing == "open":
            self.parts[key] = part
            self._path[key] = path
            self._index(part)
        return part

    def _open_fan(self, node: Node, path: Path) -> FanPart:
        fan = FanPart(node, node.fan_out or FanOutPolicy(), self.round, self._leaves_at_once(node))
        self._path[fan.placeholder] = (*path, (fan, ""))
        self._read_fan(fan)
        for target in self._begun(fan):
            part = self._open_inner(node, target, (*path, (fan, target)))
            del fan.pending[target]
            fan.active[target] = part
            fan.busy += part.busy
            fan.note(target)
        return fan

    def _begun(self, fan: FanPart) -> list[str]:
        """The targets that anything has happened to."""
        tasks, leaves = self.state.tasks, self.plan.leaves(fan.node.id)
        return [key for key in fan.keys or () if any(TaskKey(leaf, key, self.round) in tasks for leaf in leaves)]

    def _read_fan(self, fan: FanPart) -> None:
        resolved = self.state.resolved.get((fan.node.id, self.round))
        if resolved is not None:
            fan.resolve(tuple(resolved.index))
            return
        holder = TaskPart(fan.node, fan.placeholder, self.state.tasks.get(fan.placeholder), self._session)
        fan.busy = holder.busy
        fan.ended = None
        if holder.standing != "open":
            fan.ended = "done" if fan.forgiving else "failed"

    def _leaves_at_once(self, node: Node) -> tuple[str, ...]:
        """The leaves of a node that need nothing before them inside it."""
        if node.leaf:
            return (node.id,)
        if node.id not in self._first_leaves:
            children = [self.plan.nodes[child] for child in node.children]
            found = (leaf for child in children if not child.needs for leaf in self._leaves_at_once(child))
            self._first_leaves[node.id] = tuple(found)
        return self._first_leaves[node.id]

    # -- keeping up -------------------------------------------------------------------------------------------

    def _fan_of(self, key: TaskKey) -> FanPart | None:
        node = self.plan.nodes.get(key.step)
        if node is None or node.fan is None:
            return None
        path = self._path.get(TaskKey(node.fan, None, self.round))
        fan = path[-1][0] if path else None
        return fan if isinstance(fan, FanPart) else None

    def _index(self, part: TaskPart) -> None:
        task = self.state.tasks.get(part.key)
        for index, wanted in ((self.doubts, "in_doubt"), (self.retries, "failed")):
            if task is not None and task.status == wanted and part.standing == "open":
                index[part.key] = part
            else:
                index.pop(part.key, None)

    def _refresh(self, part: TaskPart) -> None:
        busy = part.busy
        part.refresh(self.state.tasks.get(part.key), self._session)
        self._index(part)
        path = self._path[part.key]
        if part.standing != "open":
            del self.parts[part.key], self._path[part.key]
        self._rise(path, part, part.busy - busy)

    def _refresh_fan(self, fan: FanPart) -> None:
        busy, path = fan.busy, self._path[fan.placeholder][:-1]
        fan.busy = 0
        self._read_fan(fan)
        self._rise(path, fan, fan.busy - busy)

    def _begin(self, fan: FanPart, target: str) -> None:
        path = (*self._path[fan.placeholder][:-1], (fan, target))
        part = self._open_inner(fan.node, target, path)
        del fan.pending[target]
        fan.active[target] = part
        self._rise(path, part, part.busy)

    def _rise(self, path: Path, part: Part, busy: int) -> None:
        """Tell every part around this one, from the inside out."""
        for depth in range(len(path) - 1, -1, -1):
            around, name = path[depth]
            around.busy += busy
            if isinstance(around, FanPart):
                around.note(name)
            else:
                self._open_children(around, around.note(name, part), path[:depth])
            part = around
