"""How fast a fan-out goes while it is watched, and so when it will be over."""

from __future__ import annotations

from collections import deque

from durun.views.tally import StepTally

_SECONDS, _TASKS = 5.0, 10
"""Before so much has gone by, nothing is said: it would be wrong."""

_LOOKS_BACK = 60.0
"""Seconds that count: what went fast an hour ago says nothing of now."""

_STALLED = 3.0
"""So many times as long as usual without an end, and what was usual says nothing any more."""

_BETWEEN = 1.0
"""Seconds between two looks."""


class Pace:
    """Keeps where each step stood lately, from the first look on: an earlier session tells nothing of this one."""

    def __init__(self) -> None:
        self._looks: dict[str, deque[tuple[float, int]]] = {}
        self._newest: dict[str, tuple[float, int]] = {}

    def rate(self, step: StepTally, now: float) -> float | None:
        """How many tasks of a step that is at work end in a second; None while that can't be told."""
        if step.fan is None:
            return None
        over = step.done + step.wrong
        looks = self._looks.setdefault(step.id, deque([(now, over)]))
        if over != self._newest.get(step.id, (0.0, -1))[1]:
            self._newest[step.id] = now, over
        if now - looks[-1][0] >= _BETWEEN:
            looks.append((now, over))
        while len(looks) > 2 and now - looks[0][0] > _LOOKS_BACK:
            looks.popleft()
        began_at, before = looks[0]
        watched, ended = now - began_at, over - before
        if watched < _SECONDS or ended < _TASKS:
            return None
        usual = watched / ended
        return None if now - self._newest[step.id][0] > max(_SECONDS, _STALLED * usual) else 1 / usual

    def left(self, step: StepTally, now: float) -> float | None:
        """Seconds until its tasks have ended, if it goes on like that; None while that can't be told."""
        rate = self.rate(step, now)
        return (step.total - step.done - step.wrong) / rate if rate else None
