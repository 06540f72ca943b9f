"""A machine without processes: steps end as they are told, and what runs is remembered when an engine is gone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from contract.engines.script import Does, with_acts
from durun.errors import Busy
from durun.model.outcome import Exit
from durun.model.task import TaskKey


class Clock:
    """Goes only when somebody waits."""

    def __init__(self) -> None:
        self.time = 1_767_225_600.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def least(self, run_id: str) -> float:
        return 0.0

    def saw(self, run_id: str, now: float) -> None:
        pass


@dataclass
class Played:
    """A call that was begun. `end` is None while it runs; `lost`: nobody will know how it ends."""

    does: Does
    end: Exit | None = None
    lost: bool = False

    def finish(self) -> None:
        signal = self.does.signal
        self.end = Exit("exit", None if signal else self.does.exit_code, signal)


class MemoryWorld:
    """See `contract.engines.script.World`. All engines of a test share it: it stands for the machine."""

    def __init__(self) -> None:
        self._script: dict[str, tuple[Does, ...]] = {}
        self._counts: dict[str, int] = {}
        self._calls: list[str] = []
        self._driven: set[str] = set()
        self._numbers = itertools.count(1)
        self.played: dict[str, Played] = {}

    def text(self, steps: str) -> str:
        return with_acts(steps, ["act"])

    def will(self, name: str, *does: Does) -> None:
        self._script[name] = does

    def calls(self) -> list[str]:
        return list(self._calls)

    def let_go(self) -> None:
        (waiting,) = (played for played in self.played.values() if played.end is None)
        waiting.finish()

    def lose(self) -> None:
        for played in self.played.values():
            if played.end is None:
                played.lost = True

    def name(self, what: str) -> str:
        return f"{what}{next(self._numbers)}"

    def begin(self, nonce: str, key: TaskKey, argv: Sequence[str]) -> None:
        _, kind, *arguments = argv
        name = ".".join(filter(None, (key.step, key.target, kind)))
        count = self._counts[name] = self._counts.get(name, 0) + 1
        does = self._script.get(name, (Does(),))
        self._calls.append(" ".join((name, *arguments)))
        played = self.played[nonce] = Played(does[min(count, len(does)) - 1])
        if not played.does.waits:
            played.finish()

    def stop(self, nonce: str) -> None:
        if self.played[nonce].end is None:
            self.played[nonce].end = Exit("cancel", signal=2)

    @contextmanager
    def driving(self, run_id: str) -> Iterator[None]:
        """Be the only one who drives this run."""
        if run_id in self._driven:
            raise Busy("another engine drives this run", "wait for it")
        self._driven.add(run_id)
        try:
            yield
        finally:
            self._driven.discard(run_id)
