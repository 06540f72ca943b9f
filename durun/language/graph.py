"""Which step comes before which, and which fan-out a step stands in: read off the runbook once.

What a file includes is one step of it: the steps inside have names that only that file knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from durun.model.runbook import Runbook, Step


def output_names(step: Step) -> tuple[str, ...]:
    """The outputs that a step or group has; `generate` has those of its kind."""
    return tuple(dict.fromkeys((*step.outputs, *step.group_outputs, *step.generated)))


class Graph:
    """The steps of a runbook by id, with their places among each other. Ids must be unique."""

    def __init__(self, runbook: Runbook) -> None:
        self.steps: dict[str, Step] = {}
        self.parent: dict[str, str | None] = {}
        for step in (*runbook.steps, *runbook.finally_steps):
            self._add(step, None)
        self._finals = {step.id: number for number, step in enumerate(runbook.finally_steps)}

    def _add(self, step: Step, parent: str | None) -> None:
        self.steps[step.id] = step
        self.parent[step.id] = parent
        for inner in step.steps if step.include is None else ():
            self._add(inner, step.id)

    def lineage(self, step: str) -> Iterator[str]:
        """The step, then the groups around it, from the inside."""
        here: str | None = step
        while here is not None:
            yield here
            here = self.parent.get(here)

    def within(self, step: str, group: str) -> bool:
        """Whether the step stands in the group, at any depth."""
        return step != group and group in self.lineage(step)

    def top(self, step: str) -> str:
        """The top-level step or group that the step is or stands in."""
        *_, outermost = self.lineage(step)
        return outermost

    def final(self, step: str) -> bool:
        """Whether the step is in `finally`."""
        return self.top(step) in self._finals

    def fan(self, step: str) -> str | None:
        """The id of the step, itself or a group around it, whose targets multiply it."""
        return next((one for one in self.lineage(step) if self.steps[one].fan_out is not None), None)

    def comes_before(self, first: str, second: str) -> bool:
        """Whether `first` has always ended when `second` starts; neither stands in the other."""
        if self.final(second):
            ends, starts = self.top(first), self.top(second)
            if ends not in self._finals:
                return True
            if ends != starts:
                return self._finals[ends] < self._finals[starts]
        wanted = set(self.lineage(first))
        return any(self._needs_any(wanted, one) for one in self.lineage(second))

    def _needs_any(self, wanted: set[str], step: str) -> bool:
        seen: set[str] = set()
        rest = list(self.steps[step].needs)
        while rest:
            needed = rest.pop()
            if needed in wanted:
                return True
            if needed not in seen and needed in self.steps:
                seen.add(needed)
                rest.extend(self.steps[needed].needs)
        return False
