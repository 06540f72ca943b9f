"""A runner that performs what `decide` says in a simulated world, and may die at any point."""

from __future__ import annotations

from typing import Any

from durun.model import decide as do
from durun.model import event as ev
from durun.model.ending import about_undoing, exit_code_in, rollback_started
from durun.model.foresight import to_be_repeated
from durun.model.outcome import ExitCodes, answer_of, judge
from durun.model.plan import FREE_REPEATS
from durun.model.progress import Progress
from durun.model.resume import failed_rollbacks, retried_tasks, wanted_again
from durun.model.status import ENDED, RESUMABLE
from durun.model.task import TaskKey
from simulation.promises import Promises
from simulation.store import Store
from simulation.world import DONE, NOT_DONE, Broken, Process, World

BY = {"uid": 1000}
PEOPLE = ({"uid": 1}, {"uid": 2})
TURNS = 3000


class Crash(Exception):
    """The runner is gone."""


def about(key: TaskKey) -> dict[str, Any]:
    return {"step": key.step, "target": key.target, "round": key.round}


class Runner:
    def __init__(self, world: World, store: Store, promises: Promises, park: bool = False, reap: bool = False) -> None:
        self.reap = reap
        self.world = world
        self.park = park
        self.store = store
        self.promises = promises
        self.plan = world.plan
        self.ended: list[Process] = []  # not reported yet
        self.watched: set[str] = set()
        self.stopped: set[str] = set()
        self.to_spawn: list[tuple[str, TaskKey, str]] = []
        self.draining = False
        self.read()

    # -- the journal ----------------------------------------------------------------------------------------

    def read(self) -> None:
        self.state = self.store.state()
        self.progress = Progress(self.plan, self.state, reaping=self.reap)
        self.committed = self.store.head
        self.pending: list[ev.Event] = []
        self.to_spawn = []

    def emit(self, event: ev.Event) -> None:
        self.progress.update(self.state.fold(ev.Stamped(self.state.record.sequence + 1, self.world.now, event)))
        self.pending.append(event)

    def commit(self) -> bool:
        """Commit what was emitted, then start what it intends. False: somebody was first, think again."""
        self.may_crash()
        if self.pending and not self.store.append(self.committed, self.pending, self.world.now):
            self.read()
            return False
        if self.pending:
            self.promises.committed(self.store.events[self.committed :], self.store)
            self.committed = self.store.head
        self.pending = []
        self.ended = []
        while self.to_spawn:
            self.may_crash()
            nonce, key, purpose = self.to_spawn.pop(0)
            self.watched.add(nonce)
            if purpose == "attempt":
                self.world.spawn_attempt(key, nonce)
            else:
                self.world.spawn_probe(key, nonce, purpose)
        self.may_crash()
        return True

    def catch_up(self) -> None:
        for stamped in self.store.events[self.committed :]:
            self.progress.update(self.state.fold(stamped))
        self.committed = self.store.head

    def may_crash(self) -> None:
        weather = self.world.weather
        if weather.crashes_left and self.world.chance(weather.crash):
            weather.crashes_left -= 1
            raise Crash

    # -- the beginning --------------------------------------------------------------------------------------

    def take_up(self, give_up: bool, undo: bool) -> None:
        """Begin a session: a fresh budget where the run had failed, then every attempt left open is settled.

        Or `give_up` on a failed run: cancel it. Or `undo` it.
        """
        record = self.state.record
        fresh = record.status in RESUMABLE and not give_up
        failed = retried_tasks(self.plan, self.state) if fresh and not undo else []
        if undo or self.reap:
            failed = failed_rollbacks(self.plan, self.state, privileged=self.reap)
        reason = "reap" if self.reap else "resume"
        place = {"pid": 1, "host": "h", "boot_id": "b", "pid_namespace": "p", "mount_id": "m"}
        self.emit(ev.SessionStarted(session=record.sessions + 1, reason=reason, by=BY, **place))
        if record.status in ENDED and not self.reap:
            self.emit(ev.RoundStarted(round=record.round + 1, by=BY))
            if give_up and not undo:
                self.emit(ev.CancelRequested(reason="given up", by=BY))
        for key, task in self.state.tasks.items():
            if task.waiting is not None and task.waiting.asked and self.world.chance(self.world.weather.trouble * 0.1):
                self.emit(ev.RequestWithdrawn(**about(key), reason="the runbook was changed"))
        if undo:
            self.emit(ev.RollbackRequested(reason="undo it", by=BY))
        for key in failed:
            self.emit(ev.TaskRetried(**about(key), due=self.world.now, fresh=True))
        for event in [] if undo or give_up or self.reap else wanted_again(self.plan, self.state):
            self.emit(event)
        self.progress.rebuild()  # as an engine does, which builds it after the first events
        while not self.commit():
            self.catch_up()
        self.settle_attempts()

    def settle_attempts(self) -> None:
        for key, task in list(self.state.tasks.items()):
            if task.status == "running" and task.attempt is not None:
                self.settle(key, task.attempt.nonce)
                if self.world.chance(0.3):
                    self.commit()
        self.commit()

    def settle(self, key: TaskKey, nonce: str) -> None:
        process = self.world.processes.get(nonce)
        if process is None:
            if self.world.chance(0.9):
                self.never_began(key)
            else:
                self.emit(ev.TaskInDoubt(**about(key), reason="the machine restarted", how="adopted"))
        elif process.lost:
            self.emit(
                ev.TaskInDoubt(**about(key), reason="lost", gone=not process.alive, pid=5 if process.alive else None)
            )
        elif process.alive:
            self.watched.add(nonce)
        else:
            self.report(process, "adopted")

    def never_began(self, key: TaskKey) -> None:
        task = self.state.tasks[key]
        if task.fences >= FREE_REPEATS:
            self.emit(ev.TaskFailed(**about(key), code="not_started", reason="5 times", retryable=False))
        else:
            self.emit(ev.TaskNeverBegan(**about(key), attempt=task.attempt.number, reason="fenced"))

    # -- the loop -------------------------------------------------------------------------------------------

    def drive(self, give_up: bool = False, undo: bool = False) -> None:
        """Drive the run until it ends, parks or is interrupted. Raises Crash."""
        self.take_up(give_up, undo)
        for _ in range(TURNS):
            if self.turn():
                return
        raise Broken("no end in sight")

    def turn(self) -> bool:
        self.catch_up()
        for process in self.ended:
            self.report(process, "ran")
        self.note_orphans()
        commands = do.decide(self.progress, self.world.now, self.park)
        self.promises.decided(self.state, self.progress, commands, self.world.now, self.park)
        if self.draining:
            commands = [command for command in commands if isinstance(command, do.Stop)]
            if self.reap and not self.progress.busy:
                return True
            if not self.progress.busy:
                self.emit(ev.RunInterrupted(reason="SIGINT"))
                return self.commit()
        self.may_crash()
        for command in commands:
            self.perform(command)
        self.promises.performed(self.state, commands)
        self.other_people()
        moved = bool(self.pending)
        if not self.commit():
            return False
        if any(isinstance(command, (do.End, do.Park, do.Leave)) for command in commands):
            return True
        if not moved:
            self.wait(commands)
        return False

    def other_people(self) -> None:
        """Somebody appends a request, or presses Ctrl-C."""
        if not self.world.chance(self.world.weather.requests):
            return
        kinds = ["cancel", "settle", "settle", "drain", "leave", "undo", "decide", "decide", "decide"]
        kind = self.world.rng.choice(kinds)
        if kind == "drain":
            self.draining = True
        elif kind == "leave" and not self.reap and self.commit():
            self.emit(ev.RunInterrupted(reason="SIGTERM"))
            self.commit()
            raise Crash
        elif kind == "cancel":
            self.promises.foreign(self.store, ev.CancelRequested(reason="enough", by=BY), self.world.now)
        elif kind == "undo" and self.plan.undo and self.store.record.final_status is None:
            self.promises.foreign(self.store, ev.RollbackRequested(reason="undo it", by=BY), self.world.now)
        elif kind == "settle":
            self.settle_one()
        elif kind == "decide":
            self.decide_one()

    def decide_one(self) -> bool:
        """Somebody who may decides on something that is asked, is not too late, and has not said so yet."""
        asked = [
            (key, who, task.waiting.asked)
            for key, task in self.store.tasks.items()
            if task.waiting and task.waiting.asked and (task.waiting.until or self.world.now + 1) > self.world.now
            for who in PEOPLE
            if who not in [said.by for said in task.waiting.decisions]
        ]
        if not asked:
            return False
        key, who, question = self.world.rng.choice(asked)
        verdict = "reject" if self.world.chance(self.world.weather.trouble * 0.3) else "approve"
        seen = {"nonce": question["nonce"], "digest": question["digest"]}
        event = ev.TaskDecided(**about(key), verdict=verdict, by=who, reason="r", fields={"by": who["uid"]}, **seen)
        self.promises.foreign(self.store, event, self.world.now)
        return True

    def settle_one(self) -> bool:
        """An operator ends one of the recorded doubts."""
        undoing = self.store.record.rollback_code is not None
        doubts = [
            key
            for key, task in self.store.tasks.items()
            if task.status == "in_doubt" and task.gone and (not undoing or key.round or self.plan.is_rollback(key.step))
        ]
        if not doubts:
            return False
        key = self.world.rng.choice(doubts)
        resolution = self.world.rng.choice(["done", "not_done", "failed"])
        if self.world.weather.honest:
            resolution = "done" if self.world.effects[key] else self.world.rng.choice(["not_done", "failed"])
        event = ev.TaskSettled(**about(key), resolution=resolution, reason="looked", by=BY)
        self.promises.foreign(self.store, event, self.world.now)
        return True

    def wait(self, commands: list[do.Command]) -> None:
        times = [command.time for command in commands if isinstance(command, do.WakeAt)]
        times += [self.world.live[nonce].ends_at for nonce in self.watched if nonce in self.world.live]
        if not times:
            raise Broken(f"nothing to wait for: {commands}")
        self.world.advance(min(times))
        over = [self.world.processes[nonce] for nonce in sorted(self.watched) if nonce not in self.world.live]
        self.ended.extend(over)
        self.watched -= {process.nonce for process in over}
        self.may_crash()

    def note_orphans(self) -> None:
        for key, task in self.state.tasks.items():
            if task.status == "in_doubt" and not task.gone and not self.world.lives(key):
                self.emit(ev.TaskInDoubt(**about(key), reason="it is gone now"))

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
