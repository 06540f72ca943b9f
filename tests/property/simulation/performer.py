"""What a runner does in a simulated world when something is decided, and when a process has ended."""

from __future__ import annotations

from typing import Any

from durun.model import decide as do
from durun.model import event as ev
from durun.model.ending import about_undoing, exit_code_in, rollback_started
from durun.model.foresight import to_be_repeated
from durun.model.outcome import ExitCodes, answer_of, judge
from durun.model.progress import Progress
from durun.model.task import TaskKey
from property.simulation.store import Store
from property.simulation.world import DONE, NOT_DONE, Process, World


def about(key: TaskKey) -> dict[str, Any]:
    return {"step": key.step, "target": key.target, "round": key.round}


class Performer:
    """Emits what it does; nothing of it counts before it is committed."""

    def __init__(self, world: World, store: Store, reap: bool) -> None:
        self.reap = reap
        self.world = world
        self.store = store
        self.plan = world.plan
        self.stopped: set[str] = set()
        self.read()

    def read(self) -> None:
        self.state = self.store.state()
        self.progress = Progress(self.plan, self.state, reaping=self.reap)
        self.committed = self.store.head
        self.pending: list[ev.Event] = []
        self.to_spawn: list[tuple[str, TaskKey, str]] = []

    def emit(self, event: ev.Event) -> None:
        self.progress.update(self.state.fold(ev.Stamped(self.state.record.sequence + 1, self.world.now, event)))
        self.pending.append(event)

    # -- commands -------------------------------------------------------------------------------------------

    def perform(self, command: do.Command) -> None:
        match command:
            case do.Start(key):
                if self.condition_holds(key):
                    self.start(key)
            case do.Resolve(key):
                self.resolve(key)
            case do.Ask(key, purpose):
                if purpose != "before" or self.condition_holds(key):
                    self.ask(key, purpose)
            case do.Retry(key, due):
                self.emit(ev.TaskRetried(**about(key), due=due))
            case do.Repeat(key, proof):
                self.emit(ev.TaskRepeated(**about(key), proof=proof))
            case do.GiveUpOn(key):
                self.emit(ev.TaskFailed(**about(key), code="in_doubt", reason="on_in_doubt: fail", retryable=False))
            case do.Stop(key):
                self.stop(key)
            case do.TimeUp() | do.Grant() | do.Deny() | do.Overdue() | do.StopWaiting():
                self.end_wait(command)
            case do.AskAgain(key):
                nonce = f"{self.folder()[1]}/{key}"
                asked = {"min_approvals": 1, "nonce": nonce, "digest": "d"}
                self.emit(ev.TaskWaiting(**about(key), kind="approval", until=None, asked=asked))
            case _:
                self.perform_for_run(command)

    def end_wait(self, command: do.TimeUp | do.Grant | do.Deny | do.Overdue | do.StopWaiting) -> None:
        match command:
            case do.Grant(key, outputs, reason):
                self.emit(ev.TaskSucceeded(**about(key), how="ran", outputs=outputs, reason=reason))
            case do.Deny(key, code, reason):
                self.emit(ev.TaskFailed(**about(key), code=code, reason=reason, how="ran", retryable=False))
            case do.TimeUp(key):
                self.emit(ev.TaskSucceeded(**about(key), how="ran"))
            case do.Overdue(key):
                self.emit(ev.TaskFailed(**about(key), code="timeout", reason="not in time", retryable=False))
            case do.StopWaiting(key, reason):
                self.emit(ev.TaskCancelled(**about(key), reason=reason))

    def perform_for_run(self, command: do.Command) -> None:
        match command:
            case do.NoteUndone() | do.Close():
                for event in about_undoing(command):
                    self.emit(event)
            case do.BeginRollback(cause):
                self.emit(rollback_started(self.plan, self.state, cause))
            case do.BeginFinally(status):
                count = self.plan.task_count(self.plan.finals)
                self.emit(ev.FinallyStarted(round=self.state.record.round, status=status, tasks=count))
            case do.End(status):
                self.emit(ev.RunEnded(status=status, exit_code=exit_code_in(self.plan, self.state, status)))
            case do.Park(status):
                self.emit(ev.RunParked(status=status, reason="doubt"))
            case do.Reopen(keys):
                for key in keys:
                    self.emit(ev.TaskReopened(**about(key)))
            case _:
                assert isinstance(command, do.WakeAt | do.Leave)

    def condition_holds(self, key: TaskKey) -> bool:
        task = self.state.tasks.get(key)
        sure = (task is not None and task.attempts) or self.plan.is_rollback(key.step)
        said = True if sure else self.world.condition(key)
        if said is None:
            self.emit(ev.TaskFailed(**about(key), code="condition", reason="no such name", retryable=False))
        elif not said:
            self.emit(ev.TaskSkipped(**about(key), reason="if"))
        return bool(said)

    def folder(self) -> tuple[int, str]:
        number = self.state.record.folders + 1
        return number, f"{self.state.record.sessions}.{number}.{self.state.record.sequence}"

    def start(self, key: TaskKey) -> None:
        rhythm = self.world.poll_of(key)
        if rhythm is not None:
            until = None if rhythm[1] is None else self.world.now + rhythm[1]
            self.emit(ev.TaskWaiting(**about(key), kind="poll", until=until, every=rhythm[0]))
            return
        seconds = self.world.wait_of(key)
        if seconds is not None:
            self.emit(ev.TaskWaiting(**about(key), kind="time", until=self.world.now + seconds))
            return
        question = self.world.question_of(key)
        folder, nonce = self.folder()
        if question is not None:
            many, seconds = question
            until = None if seconds is None else self.world.now + seconds
            asked = {"min_approvals": many, "nonce": f"{nonce}/{key}", "digest": "d"}
            self.emit(ev.TaskWaiting(**about(key), kind="approval", until=until, asked=asked))
            return
        task = self.state.tasks.get(key)
        number = len(task.attempts) + 1 if task else 1
        self.emit(
            ev.TaskStarted(
                **about(key), attempt=number, folder=folder, nonce=nonce, session=self.state.record.sessions,
                idempotency_key=f"key-{key}", request="r", closes_at=self.plan.closes_at(key.step, self.world.now),
            )
        )  # fmt: skip
        self.to_spawn.append((nonce, key, "attempt"))

    def ask(self, key: TaskKey, purpose: Any) -> None:
        folder, nonce = self.folder()
        session = self.state.record.sessions
        self.emit(ev.ProbeStarted(**about(key), purpose=purpose, folder=folder, nonce=nonce, session=session))
        self.to_spawn.append((nonce, key, purpose))

    def resolve(self, key: TaskKey) -> None:
        kind = self.world.rng.random()
        if kind < 0.03:
            self.emit(ev.TargetsResolved(step=key.step, targets=(), tasks=0, round=key.round, skipped=True))
        elif kind < 0.06:
            self.emit(ev.TaskSkipped(**about(key), reason="if"))
        elif kind < 0.4:
            self.ask(key, "targets")
        elif self.world.chance(self.world.weather.trouble * 0.1):
            self.emit(ev.TaskFailed(**about(key), code="targets", reason="no file"))
        else:
            self.targets_known(key)

    def targets_known(self, key: TaskKey) -> None:
        names = self.world.targets(key.step)
        tasks = len(names) * len(self.plan.leaves(key.step))
        targets = tuple(ev.Target(name, name) for name in names)
        again = to_be_repeated(self.plan, self.state, key) if names else ""
        tasks += bool(again)
        self.emit(ev.TargetsResolved(step=key.step, targets=targets, tasks=tasks, round=key.round, approval=again))

    def stop(self, key: TaskKey) -> None:
        task = self.state.tasks[key]
        nonce = task.probe.nonce if task.status in ("pending", "waiting") else task.attempt.nonce
        if nonce in self.world.live and nonce not in self.stopped:
            self.stopped.add(nonce)
            self.world.kill(nonce)

    # -- outcomes -------------------------------------------------------------------------------------------

    def report(self, process: Process, how: ev.How) -> None:
        key, task = process.key, self.state.tasks[process.key]
        if process.purpose == "attempt":
            self.report_attempt(process, how)
        elif task.probe is None or task.probe.nonce != process.nonce:
            return  # an operator was faster
        elif process.purpose == "targets":
            if process.end.exit_code == DONE:
                self.targets_known(key)
            else:
                self.emit(ev.TaskFailed(**about(key), code="targets", reason="no list"))
        else:
            self.report_answer(process)

    def report_attempt(self, process: Process, how: ev.How) -> None:
        key, node = process.key, self.plan.node(process.key.step)
        event = judge(key, node, ExitCodes(), process.end, how)
        if event is not None:
            self.emit(event)
        elif node.verify is not None and node.verify.after:
            self.ask(key, "after")
        else:
            self.emit(ev.TaskSucceeded(**about(key), how=how, exit_code=0))

    def report_answer(self, process: Process) -> None:
        key = process.key
        answer, reason = answer_of(process.end, (DONE,), (NOT_DONE,))
        if process.purpose == "poll":
            self.report_poll(key, answer, reason)
            return
        self.emit(ev.ProbeAnswered(**about(key), purpose=process.purpose, answer=answer, reason=reason))
        match process.purpose, answer:
            case "in_doubt", "done":
                self.emit(ev.TaskSucceeded(**about(key), how="verified"))
            case "before", "done":
                self.emit(ev.TaskSucceeded(**about(key), how="found"))
            case "after", "done":
                self.emit(ev.TaskSucceeded(**about(key), how="ran"))
            case "after", "not_done":
                self.emit(ev.TaskFailed(**about(key), code="verify", reason=reason))
            case "after", _:
                self.emit(ev.TaskInDoubt(**about(key), reason=reason))
            case _:
                pass

    def report_poll(self, key: TaskKey, answer: str, reason: str) -> None:
        if answer == "done":
            self.emit(ev.TaskSucceeded(**about(key), how="ran"))
        elif answer == "not_done" and self.world.chance(self.world.weather.trouble * 0.2):
            self.emit(ev.TaskFailed(**about(key), code="wait_for", reason="fail_when holds", retryable=False))
        else:
            asked = self.state.tasks[key].waiting.times + 1
            self.emit(ev.ProbeAnswered(**about(key), purpose="poll", answer=answer, reason=reason, times=asked))
