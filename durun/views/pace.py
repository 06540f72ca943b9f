"""How fast a fan-out goes while it is watched, and so when it will be over."""

from __future__ import annotations

from durun.views.tally import StepTally

_SECONDS, _TASKS = 5.0, 10
"""Before so much has gone by, nothing is said: it would be wrong."""


class Pace:
    """Keeps where each step stood when it was first looked at: an earlier session tells nothing of this one."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def left(self, step: StepTally, now: float) -> float | None:
        """Seconds until its tasks have ended, at the pace so far; None while that can't be told."""
        if step.fan is None or not step.counts["running"]:
            return None
        over = step.done + step.wrong
        began_at, before = self._first.setdefault(step.id, (now, over))
        watched, ended = now - began_at, over - before
        if watched < _SECONDS or ended < _TASKS:
            return None
        return (step.total - over) * watched / ended
