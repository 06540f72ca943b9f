"""What really happens: processes and their effects, counted without looking at durun's records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

from durun.model.outcome import Exit
from durun.model.plan import Plan
from durun.model.task import Purpose, TaskKey
from property.simulation.plans import between, foresee

DONE, NOT_DONE = 0, 4
"""The exit codes of every verify."""


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass
class Process:
    """`record`: whether its end can be read. `lost`: without a supervisor, so that its end can't be read."""

    key: TaskKey
    purpose: Purpose | Literal["attempt"]
    nonce: str
    ends_at: float
    end: Exit
    effect: bool = False
    alive: bool = True
    lost: bool = False


@dataclass
class Weather:
    """How bad the days are. Shares of 1; `honest`: every answer, of a verify or an operator, is true."""

    trouble: float
    crash: float
    requests: float
    honest: bool
    crashes_left: int
    over: bool = False

    @classmethod
    def draw(cls, rng: Random) -> Weather:
        return cls(
            trouble=rng.choice([0.0, 0.1, 0.3, 0.6]),
            crash=rng.choice([0.0, 0.01, 0.03, 0.1]),
            requests=rng.choice([0.0, 0.0, 0.03]),
            honest=rng.random() < 0.6,
            crashes_left=rng.choice([1, 3, 6]),
        )

    @property
    def is_calm(self) -> bool:
        """Whether everything goes well."""
        return self.honest and not (self.trouble or self.requests or (self.crash and self.crashes_left))

    def calm(self) -> None:
        """From now on everything goes well."""
        self.trouble = self.crash = self.requests = 0.0
        self.honest = self.over = True


class World:
    def __init__(self, rng: Random, plan: Plan, weather: Weather) -> None:
        self.rng = rng
        self.plan = plan
        self.weather = weather
        self.now = 1000.0
        self.processes: dict[str, Process] = {}
        self.live: dict[str, Process] = {}
        self.effects: Counter[TaskKey] = Counter()
        self.effect_of: set[str] = set()
        self._facts: dict[object, object] = {}
        leaves = [name for name, node in plan.nodes.items() if node.leaf and node.fan_out is None]
        share = rng.choice([0.0, 0.0, 0.2, 0.5])
        self.waiting_steps = {name for name in leaves if rng.random() < share}
        self.polling_steps = {name for name in sorted(self.waiting_steps) if rng.random() < 0.5}
        share = rng.choice([0.0, 0.0, 0.2, 0.5])
        self.asking_steps = {name for name in leaves if rng.random() < share} - self.waiting_steps
        if self.asking_steps:
            foresee(plan, self.asking_steps, rng)
        inward = self.asking_steps | (self.waiting_steps - self.polling_steps)
        for name, node in plan.undo.items():
            if node.until is not None:
                plan.undo[name] = node._replace(needed_by=between(plan, name, node.until) - inward)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    # -- facts that stay the same however often they are asked -----------------------------------------------

    def targets(self, step: str) -> list[str]:
        count = self.rng.choice([0, 1, 2, 3, 3, 4, 6, 12])
        return self._facts.setdefault(("targets", step), [f"t{i}" for i in range(count)])

    def condition(self, key: TaskKey) -> bool | None:
        """What the `if`s of a task say; None: they can't be evaluated (today)."""
        said = self._facts.setdefault(("if", key), not self.chance(0.08))
        return None if said and self.chance(self.weather.trouble * 0.05) else said

    def wait_of(self, key: TaskKey) -> float | None:
        """For how long a task waits; None: it starts a process."""
        if key.step not in self.waiting_steps:
            return None
        return self._facts.setdefault(("wait", key), self.rng.choice([0.0, 1.0, 8.0, 40.0]))

    def question_of(self, key: TaskKey) -> tuple[int, float | None] | None:
        """How many people must say yes, and for how many seconds they may; None: nobody is asked."""
        if key.step not in self.asking_steps:
            return None
        people, seconds = self._facts.setdefault(
            ("asks", key), (self.rng.choice([1, 1, 2]), self.rng.choice([None, 9.0, 100.0]))
        )
        return people, None if self.weather.is_calm else seconds

    def poll_of(self, key: TaskKey) -> tuple[float, float | None] | None:
        """How often a task asks and for how long at most (None: for ever), if its wait is one for an answer."""
        if key.step not in self.polling_steps:
            return None
        return self._facts.setdefault(("poll", key), self.rng.choice([(1, 0), (2, 9), (5, 30), (0.5, None), (30, 40)]))

    # -- processes ------------------------------------------------------------------------------------------

    def spawn_attempt(self, key: TaskKey, nonce: str) -> None:
        if any(process.key == key and process.purpose == "attempt" for process in self.live.values()):
            raise Broken(f"two processes of {key} at once")
        end, effect = self._attempt_end()
        self._spawn(Process(key, "attempt", nonce, self.now + self.rng.choice([0.1, 1, 2, 5]), end, effect))

    def spawn_probe(self, key: TaskKey, nonce: str, purpose: Purpose) -> None:
        self._spawn(
            Process(key, purpose, nonce, self.now + self.rng.choice([0.1, 1, 2]), self._probe_end(key, purpose))
        )

    def _spawn(self, process: Process) -> None:
        if process.nonce in self.processes:
            raise Broken(f"{process.nonce} started twice")
        self.processes[process.nonce] = self.live[process.nonce] = process

    def _attempt_end(self) -> tuple[Exit, bool]:
        if not self.chance(self.weather.trouble):
            return Exit("exit", 0), True
        unclear = self.chance(0.5)
        return self.rng.choice(
            [
                (Exit("exit", 1), False),
                (Exit("exit", 1), False),
                (Exit("exit", 3), False),
                (Exit("exit", 75), False),
                (Exit("exit", 76), unclear),
                (Exit("timeout"), unclear),
                (Exit("exit", None, 9), unclear),
                (Exit("not_started", error="no such command"), False),
                (Exit("timeout", leftover=(77,)), unclear),
            ]
        )

    def _probe_end(self, key: TaskKey, purpose: Purpose) -> Exit:
        if self.chance(self.weather.trouble):
            return self.rng.choice([Exit("exit", 1), Exit("timeout"), Exit("exit", None, 9)])
        if purpose == "targets":
            return Exit("exit", 0)
        if purpose == "poll":
            return Exit("exit", DONE if self.weather.over else self.rng.choice([DONE, NOT_DONE, NOT_DONE, NOT_DONE]))
        if self.weather.honest:
            return Exit("exit", DONE if self.effects[key] else NOT_DONE)
        return Exit("exit", self.rng.choice([DONE, NOT_DONE]))

    def advance(self, until: float) -> list[Process]:
        """Let time pass; the processes that ended on the way, in order."""
        self.now = max(self.now, until)
        over = sorted((p for p in self.live.values() if p.ends_at <= self.now), key=lambda p: (p.ends_at, p.nonce))
        for process in over:
            self._finish(process)
        return over

    def _finish(self, process: Process) -> None:
        del self.live[process.nonce]
        if process.end.leftover and not process.lost:
            # Its supervisor gave up on it; it goes on alone for a while.
            orphan = Process(process.key, "attempt", f"{process.nonce}+", self.now + 20, Exit("exit", 0), lost=True)
            self.processes[orphan.nonce] = self.live[orphan.nonce] = orphan
        process.alive = False
        if process.effect:
            self.effects[process.key] += 1
            self.effect_of.add(process.nonce)

    def kill(self, nonce: str) -> None:
        """A cancel stops a process; what it had done by then is done."""
        process = self.live[nonce]
        process.end = Exit("cancel", signal=15)
        process.effect = process.effect and self.chance(0.5)
        process.ends_at = self.now + 0.1

    def supervisor_dies(self, reboot: bool) -> None:
        """Whatever runs is killed, or (but at a reboot) goes on alone; nobody will know how it ended."""
        for process in list(self.live.values()):
            process.lost = True
            if reboot or self.chance(0.7):
                process.effect = process.effect and self.chance(0.5)
                process.end = Exit("exit", None, 9)
                self._finish(process)

    def lives(self, key: TaskKey) -> bool:
        """Whether a process of an attempt of the task lives."""
        return any(process.key == key and process.purpose == "attempt" for process in self.live.values())
