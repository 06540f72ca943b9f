"""One history: a random plan, run, crashed, resumed, settled and cancelled until it ends."""

from __future__ import annotations

from random import Random

from durun.model import event as ev
from durun.model.status import FINAL
from property.simulation.foretold import Foretold
from property.simulation.plans import PlanMaker
from property.simulation.promises import Promises
from property.simulation.runner import BY, Crash, Runner
from property.simulation.store import Store
from property.simulation.world import Broken, Weather, World

STORMY, SESSIONS = 12, 250
GROUPS = ("g", None)
RELEASES: tuple[tuple[str, ...], ...] = ((), ("failed",), ("waiting",), ("failed", "waiting"), ("waiting",))


class History:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.plan = PlanMaker(self.rng).make()
        self.weather = Weather.draw(self.rng)
        self.world = World(self.rng, self.plan, self.weather)
        self.promises = Promises(self.plan, self.world)
        self.store = Store()

    def play(self) -> str:
        """Play it to its end; the run's last status. Raises Broken, or whatever the heart raises."""
        self._create()
        for session in range(SESSIONS):
            if session == STORMY:
                self.weather.calm()
            self._session()
            self.promises.whole(self.store)
            if self.store.record.status in FINAL and not self._regrets():
                return self.store.record.status
        raise Broken(f"still {self.store.record.status} after {SESSIONS} sessions")

    def _create(self) -> None:
        created = ev.RunCreated(
            runbook="r", digest="d", text="", file="f", place="/", inputs={}, inputs_digest="i",
            tasks=self.plan.task_count(self.plan.roots), by=BY, version="1", surroundings={"env": {}},
            concurrency_group=GROUPS[self.seed % 2], release_on=RELEASES[self.seed % len(RELEASES)],
        )  # fmt: skip
        self.promises.foreign(self.store, created, self.world.now)

    def _session(self) -> None:
        foretold = Foretold(self.plan, self.store, self.world.now) if self.weather.is_calm else None
        reap = self.store.record.privileged > 0 and self.rng.random() < 0.3
        runner = Runner(self.world, self.store, self.promises, park=self.rng.random() < 0.3, reap=reap)
        try:
            if reap:
                runner.drive()
                return
            given_up = self.weather.requests > 0 and self.rng.random() < 0.1
            runner.drive(given_up, undo=self.store.record.status in FINAL or (given_up and self._can_undo()))
        except Crash:
            self.promises.trace.append("     -- crash --")
            self._aftermath()
            return
        if foretold is not None:
            foretold.check()
        self._between(runner)

    def _can_undo(self) -> bool:
        return bool(self.plan.undo) and self.store.record.final_status is None and self.rng.random() < 0.5

    def _regrets(self) -> bool:
        """Somebody wants undone what has ended."""
        return self.store.record.status != "rolled_back" and bool(self.plan.undo) and self.rng.random() < 0.2

    def _aftermath(self) -> None:
        """What the supervisor does while nobody watches."""
        self.promises.whole(self.store)
        kind = self.rng.random()
        if kind < 0.25:
            self.world.supervisor_dies(reboot=kind < 0.1)
        self.world.advance(self.world.now + self.rng.choice([0, 0.5, 2, 30]))

    def _between(self, runner: Runner) -> None:
        """What people do about a run that nobody drives."""
        calm = self.weather.trouble == 0
        while (calm or self.rng.random() < 0.6) and runner.decide_one():
            pass
        self.world.advance(self.world.now + self.rng.choice([0, 5, 30, 60]))
        if self.store.record.status != "in_doubt":
            return
        if self.weather.requests and self.rng.random() < 0.1:
            self.promises.foreign(self.store, ev.CancelRequested(reason="enough", by=BY), self.world.now)
        while (self.rng.random() < 0.6 or self.weather.trouble == 0) and runner.settle_one():
            pass


def play(seed: int) -> str:
    """Play one history. A failure says the seed, the plan and every event."""
    history = History(seed)
    try:
        return history.play()
    except Exception as error:
        plan = "\n".join(str(node) for node in history.plan.nodes.values())
        story = "\n".join([*history.promises.trace[-400:], plan, f"max_parallel {history.plan.max_parallel}"])
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\n{story}") from error
