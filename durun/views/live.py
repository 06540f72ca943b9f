"""A run on a terminal: the steps with their states, a bar per fan-out, and above them what went wrong.

rich makes the text; a `Channel` writes it, so a terminal stopped with Ctrl-S stops nothing but itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from durun.model.event import Stamped, TaskEvent, key_of
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import TaskStatus
from durun.views.channel import Channel
from durun.views.observer import Result
from durun.views.pace import Pace
from durun.views.summary import closing
from durun.views.tally import MARKS, StepTally, Tally
from durun.views.text import duration, fit, harmless, one_line
from durun.views.words import line_of

_STYLES: dict[TaskStatus, str] = {
    "pending": "dim",
    "skipped": "dim",
    "waiting": "yellow",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "in_doubt": "bold magenta",
    "rolled_back": "dim",
}
_EVERY = 0.1
"""Seconds between two pictures, at least."""

_TOLD = 20
"""How many failures are printed one by one; after that the counts must do."""

_BAR = 24


class LiveView:
    """A picture of the run that is painted over and over; at the end it stays, with a summary below."""

    def __init__(self, channel: Channel, descriptor: int) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._tally: Tally | None = None
        self._state: RunState | None = None
        self._painted_at = 0.0
        self._now = 0.0
        self._told = 0
        self._last = ""
        self._pace = Pace()
        self._begun = False
        self._result: Result | None = None

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:
        """Name the run and count anew."""
        self._tally = Tally(plan, state)
        self._state = state
        if not self._begun:
            self._begun = True
            self._channel.write(f"run {state.record.id} of {one_line(runbook.name)}\n")

    def saw(self, events: Sequence[Stamped], state: RunState) -> None:
        """Count, tell what went wrong, paint if it is time."""
        self._state = state
        for _, at, event in events:
            if self._tally is not None:
                self._tally.note(event, state, at)
            line = line_of(event, state.tasks.get(key_of(event)) if isinstance(event, TaskEvent) else None)
            if line.wrong:
                self._tell(line.text)
        if events:
            self._paint_when_due(events[-1].at)

    def _tell(self, text: str) -> None:
        self._told += 1
        self._last = text
        if self._told < _TOLD:
            self._channel.write(f"{text}\n")
        elif self._told == _TOLD and self._state is not None:
            self._channel.write(f"{text}\nmore of that kind: durun show {self._state.record.id}\n")

    def said(self, notice: str) -> None:
        """A notice stays above the picture."""
        self._channel.write(f"{one_line(notice)}\n")

    def tick(self, now: float) -> None:
        """Let the clocks in the picture go on."""
        self._paint_when_due(now)

    def _paint_when_due(self, now: float) -> None:
        self._now = max(self._now, now)
        if now - self._painted_at >= _EVERY or now < self._painted_at:
            self._painted_at = now
            self._channel.frame(self._picture())

    def ended(self, outcome: Result) -> None:
        """Keep how it ended, for `close`."""
        self._result = outcome

    def close(self, exit_code: int) -> None:
        """Leave the last picture standing, and the summary below it."""
        picture = self._picture()
        self._channel.frame([])
        lines = list(picture)
        result = self._result
        if result is not None and result.state is not None:
            lines += closing(result.state, result.status, exit_code, result.head)
        self._channel.write("".join(f"{line}\n" for line in lines))
        self._channel.close()

    def _picture(self) -> list[str]:
        if self._tally is None:
            return []
        width, height = _size(self._descriptor)
        steps = list(self._tally.steps.values())
        shown = _most_telling(steps, max(3, height - 4))
        lines = _render(_grid([self._row(step) for step in shown], width), width)
        if left := len(steps) - len(shown):
            lines.append(f"  … {left} more steps")
        if self._told > _TOLD and self._result is None:
            lines.append(fit(f"  last: {self._last}", width))
        return lines

    def _row(self, step: StepTally) -> list[RenderableType]:
        mark, style = MARKS[step.standing], _STYLES[step.standing]
        took = None
        if step.began_at is not None:
            took = (self._now if step.counts["running"] else step.ended_at or self._now) - step.began_at
        left = self._pace.left(step, self._now)
        return [
            Text(mark, style),
            Text(harmless(step.id), "dim" if step.standing in ("pending", "skipped") else ""),
            _progress(step),
            Text(duration(took) if left is None else f"~{duration(left)} left", "dim"),
        ]


def _progress(step: StepTally) -> Text:
    """For a step: its state. For a fan-out: a bar and the counts."""
    if step.fan is None:
        return Text(step.standing.replace("_", " "), _STYLES[step.standing])
    if not step.total:
        return Text("no targets", "dim")
    good = step.done * _BAR // step.total
    bad = min(_BAR - good, -(-step.wrong * _BAR // step.total))
    text = Text.assemble(("━" * good, "green"), ("━" * bad, "red"), ("─" * (_BAR - good - bad), "dim"))
    text.append(f" {step.done}/{step.total}")
    for status in ("running", "failed", "in_doubt", "cancelled"):
        if step.counts[status]:
            text.append(f"  {step.counts[status]} {status.replace('_', ' ')}", _STYLES[status])
    return text


def _most_telling(steps: list[StepTally], room: int) -> list[StepTally]:
    """As many steps as there is room for, in file order: those at work or gone wrong first, then the nearest."""
    if len(steps) <= room:
        return steps
    ranks = {"running": 0, "in_doubt": 0, "failed": 0, "cancelled": 0, "waiting": 0, "pending": 1}
    order = sorted(range(len(steps)), key=lambda index: (ranks.get(steps[index].standing, 2), index))
    return [steps[index] for index in sorted(order[:room])]


def _grid(rows: list[list[RenderableType]], width: int) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1, no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, width // 3))
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True, justify="right")
    for row in rows:
        grid.add_row(*row)
    return grid


def _render(content: RenderableType, width: int) -> list[str]:
    """The lines of a rich renderable, with the terminal's colours (none with NO_COLOR), none wider than `width`."""
    target = StringIO()
    console = Console(file=target, force_terminal=True, width=width, legacy_windows=False, highlight=False)
    console.print(content)
    return target.getvalue().splitlines()


def _size(descriptor: int) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns, rows = 80, 24
    return max(20, columns - 1), rows
