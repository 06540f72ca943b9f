"""A run in memory: folds events and keeps the progress up, as a runner would, without doing anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from durun.model import event as ev
from durun.model.decide import Start, decide
from durun.model.plan import Node, Plan
from durun.model.progress import Progress
from durun.model.state import RunState
from durun.model.task import Target, TaskKey
from events import session, started


class Run:
    def __init__(self, nodes: Iterable[Node], max_parallel: int = 8, **facts: Any) -> None:
        by_id = {node.id: node for node in nodes}
        roots = tuple(node.id for node in by_id.values() if node.parent is None and not node.final)
        finals = tuple(node.id for node in by_id.values() if node.parent is None and node.final)
        self.plan = Plan(by_id, roots, finals, max_parallel)
        created = ev.RunCreated(
            runbook="r", digest="d", text="", file="f", place="/", inputs={}, inputs_digest="", by={}, version="1",
            tasks=self.plan.task_count(roots), surroundings={"env": {}}, **facts,
        )  # fmt: skip
        self.now = 0.0
        self.state = RunState.begin("run", ev.Stamped(1, self.now, created))
        self.progress = Progress(self.plan, self.state)
        self.session()

    def fold(self, *events: ev.Event) -> None:
        for event in events:
            key = self.state.fold(ev.Stamped(self.state.record.sequence + 1, self.now, event))
            self.progress.update(key)

    def session(self) -> None:
        """A new process takes the run up."""
        self.fold(session(self.state.record.sessions + 1))

    def targets(self, step: str, count: int) -> list[str]:
        names = [f"t{number}" for number in range(count)]
        tasks = count * len(self.plan.leaves(step))
        self.fold(ev.TargetsResolved(step=step, targets=[Target(name, name) for name in names], tasks=tasks))
        return names

    def task(self, step: str, target: str | None = None, round_: int = 0):
        return self.state.tasks[TaskKey(step, target, round_)]

    def start(self, step: str, target: str | None = None, round_: int = 0) -> None:
        task = self.state.tasks.get(TaskKey(step, target, round_))
        number = len(task.attempts) + 1 if task else 1
        current = self.state.record.sessions
        self.fold(started(step, target, attempt=number, folder=number, round=round_, session=current))

    def succeed(self, step: str, target: str | None = None, round_: int = 0) -> None:
        self.fold(ev.TaskSucceeded(step=step, target=target, round=round_, how="ran"))

    def fail(self, step: str, target: str | None = None, round_: int = 0, **more) -> None:
        self.fold(ev.TaskFailed(step=step, target=target, round=round_, code="exit", reason="no", **more))

    def doubt(self, step: str, target: str | None = None, **more) -> None:
        self.fold(ev.TaskInDoubt(step=step, target=target, reason="lost", **more))

    def ask(self, step: str, purpose: str, target: str | None = None) -> None:
        session = self.state.record.sessions
        self.fold(ev.ProbeStarted(step=step, target=target, purpose=purpose, folder=9, nonce="p", session=session))

    def answer(self, step: str, purpose: str, answer: str, target: str | None = None) -> None:
        self.fold(ev.ProbeAnswered(step=step, target=target, purpose=purpose, answer=answer))

    def settle(self, step: str, resolution: str, target: str | None = None) -> None:
        self.fold(ev.TaskSettled(step=step, target=target, resolution=resolution, reason="looked", by={}))

    def decide(self):
        return decide(self.progress, self.now)

    def expect(self, *commands) -> None:
        """Check what is to be done next, by its words: commands of different kinds may be equal as tuples."""
        assert [repr(command) for command in self.decide()] == [repr(command) for command in commands]

    def starts(self) -> list[str]:
        return [str(command.key) for command in self.decide() if isinstance(command, Start)]


@pytest.fixture
def new_run():
    """Make a `Run` of nodes."""
    return Run
