"""A run as plain lines, for pipes, files and cron: no colour, no redrawing, one time-stamped line per event."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.event import Event, Stamped, TaskEvent, TaskRepeated, TaskStarted, TaskSucceeded, key_of
from durun.model.plan import Plan
from durun.model.retry import may_start_at
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.task import TaskState
from durun.views.channel import Channel
from durun.views.observer import Result
from durun.views.summary import LastWords, closing
from durun.views.text import local_time, one_line
from durun.views.words import line_of


class PlainView:
    """Lines for a run. `quiet`: only what went wrong, and how the run ended unless it succeeded."""

    def __init__(self, channel: Channel, quiet: bool = False, last_words: LastWords | None = None) -> None:
        self._channel = channel
        self._quiet = quiet
        self._last_words = last_words
        self._begun = False
        self._plan: Plan | None = None
        self._day = ""
        self._result: Result | None = None

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:
        """Name the run. What happens on another day than its start is said to."""
        self._plan = plan
        self._day = self._day or local_time(state.record.created_at)[:10]
        if not self._begun and not self._quiet:
            self._channel.write(f"run {state.record.id} of {runbook.name}\n")
        self._begun = True

    def saw(self, events: Sequence[Stamped], state: RunState) -> None:
        """A line for each event that an operator would want to know."""
        lines = []
        for _, at, event in events:
            if self._quiet and isinstance(event, (TaskStarted, TaskSucceeded)):
                continue  # most events are these, and neither is wrong
            task = state.tasks.get(key_of(event)) if isinstance(event, TaskEvent) else None
            line = line_of(event, task, self._due(event, task, state))
            if line.wrong or not (line.minor or self._quiet):
                day, clock = local_time(at).split()
                lines += [f"{day}\n"] if day != self._day else []
                lines.append(f"{clock} {line.text}\n")
                self._day = day
        if lines:
            self._channel.write("".join(lines))

    def _due(self, event: Event, task: TaskState | None, state: RunState) -> float | None:
        """When a task is started whose doubt is over, by the pauses of its `retry`."""
        if not isinstance(event, TaskRepeated) or task is None or task.status != "pending" or self._plan is None:
            return None
        return may_start_at(self._plan.node(event.step), key_of(event), task, state.record.id)

    def said(self, notice: str) -> None:
        """A notice; it is not progress, so it is shown with --quiet too."""
        self._channel.write(f"{one_line(notice)}\n")

    def tick(self, now: float) -> None:
        """Nothing: a file does not want to be told that time passes."""

    def ended(self, outcome: Result) -> None:
        """Keep how it ended, for `close`."""
        self._result = outcome

    def close(self, exit_code: int) -> None:
        """Write the end, and wait a few seconds for a slow reader."""
        result = self._result
        if result is not None and result.state is not None and not (self._quiet and result.exit_code == 0):
            state = result.state
            lines = closing(state, result.status, exit_code, result.head, last_words=self._last_words)
            self._channel.write("".join(f"{line}\n" for line in lines))
        self._channel.close()
