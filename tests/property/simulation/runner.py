"""A runner that performs what `decide` says in a simulated world, and may die at any point."""

from __future__ import annotations

from durun.model import decide as do
from durun.model import event as ev
from durun.model.plan import FREE_REPEATS
from durun.model.resume import failed_rollbacks, retried_tasks, wanted_again
from durun.model.status import ENDED, RESUMABLE
from durun.model.task import TaskKey
from property.simulation.performer import Performer, about
from property.simulation.promises import Promises
from property.simulation.store import Store
from property.simulation.world import Broken, Process, World

BY = {"uid": 1000}
PEOPLE = ({"uid": 1}, {"uid": 2})
TURNS = 3000


class Crash(Exception):
    """The runner is gone."""


class Runner(Performer):
    def __init__(self, world: World, store: Store, promises: Promises, park: bool = False, reap: bool = False) -> None:
        super().__init__(world, store, reap)
        self.park = park
        self.promises = promises
        self.ended: list[Process] = []  # not reported yet
        self.watched: set[str] = set()
        self.draining = False

    # -- the journal ----------------------------------------------------------------------------------------

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
