"""A run on a terminal: the steps with their states, a bar per fan-out, and above them what went wrong.

A `Channel` writes it, so a terminal stopped with Ctrl-S stops nothing but itself.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from rich.text import Text

from durun.model.event import Stamped, TaskEvent, key_of
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.views.channel import Channel
from durun.views.frame import size_of
from durun.views.live_rows import Rows, summed_up
from durun.views.observer import Result
from durun.views.paint import columns, fitting, painted
from durun.views.summary import LastWords, closing
from durun.views.tally import MARKS, StepTally, Tally
from durun.views.text import counted, counts_text, duration, fit, one_line, wrapped
from durun.views.words import line_of

_EVERY, _SOON = 0.2, 0.05
"""Seconds between two pictures, at least; and where more than one of many targets has moved on."""

_NARROWEST = 20
"""Columns of a picture, however few the terminal has."""

_TOLD = 20
"""How many failures are printed one by one; after that the counts must do."""


class LiveView:
    """A picture of the run that is painted over and over; at the end it stays, with a summary below."""

    def __init__(self, channel: Channel, descriptor: int, last_words: LastWords | None = None) -> None:
        self._channel = channel
        self._last_words = last_words
        self._descriptor = descriptor
        self._colour = not os.environ.get("NO_COLOR")
        self._tally: Tally | None = None
        self._rows: Rows | None = None
        self._state: RunState | None = None
        self._painted_at = 0.0
        self._now = 0.0
        self._told = 0
        self._last = ""
        self._begun = False
        self._waits_since: float | None = None
        self._driven_since: float | None = None
        self._result: Result | None = None
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGWINCH, signal.SIGCONT):
                self._handlers[number] = signal.signal(number, self._disturbed)

    def _disturbed(self, number: int, _frame: FrameType | None) -> None:
        """The terminal has another size, or the shell has had it meanwhile: the next tick paints, whenever it comes."""
        self._painted_at = 0.0
        if number == signal.SIGCONT:
            self._channel.forget()

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:
        """Name the run and count anew."""
        self._tally = Tally(plan, state)
        self._rows = Rows(plan)
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
            self._driven_since = self._driven_since or events[0].at
            alone = any(isinstance(event, TaskEvent) and event.target is None for _, _, event in events)
            self._paint_when_due(events[-1].at, _SOON if alone else _EVERY)

    def _tell(self, text: str) -> None:
        self._told += 1
        self._last = text
        text = wrapped(text, self._size()[0], 2)
        if self._told < _TOLD:
            self._channel.write(f"{text}\n")
        elif self._told == _TOLD and self._state is not None:
            self._channel.write(f"{text}\nmore of that kind: durun show {self._state.record.id}\n")

    def said(self, notice: str) -> None:
        """A notice stays above the picture. Before the run has begun, it says what is waited for."""
        self._channel.write(f"{wrapped(one_line(notice), self._size()[0], 2)}\n")

    def tick(self, now: float) -> None:
        """Let the clocks in the picture go on."""
        if self._waits_since is None:
            self._waits_since = now
        self._paint_when_due(now)

    def _paint_when_due(self, now: float, every: float = _EVERY) -> None:
        self._now = max(self._now, now)
        if now - self._painted_at >= every or now < self._painted_at:
            self._painted_at = now
            self._channel.frame(self._picture())

    def ended(self, outcome: Result) -> None:
        """Keep how it ended, for `close`."""
        self._result = outcome

    def close(self, exit_code: int) -> None:
        """Leave the last picture standing, and the summary below it."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        picture = self._picture(at_work=False)
        self._channel.frame([])
        lines = list(picture)
        result = self._result
        if result is not None and result.state is not None:
            width = self._size()[0]
            lines += closing(result.state, result.status, exit_code, result.head, width, self._last_words)
        self._channel.write("".join(f"{line}\n" for line in lines))
        self._channel.close()

    def _size(self) -> tuple[int, int]:
        """Columns and rows to write in: the last column stays free, for there some terminals break the line."""
        columns, rows = size_of(self._descriptor)
        return max(_NARROWEST, columns - 1), rows

    def _picture(self, at_work: bool = True) -> list[str]:
        if self._tally is None or self._rows is None or self._state is None:
            waits = self._waits_since is not None and at_work
            return [f"◷ waiting  {duration(self._now - (self._waits_since or 0))}"] if waits else []
        width, height = self._size()
        steps = self._tally.steps
        shown = _most_telling(list(steps.values()), max(3, height - 4))
        moment = self._rows.moment(steps, self._state, self._now, width)
        rows = [self._rows.row(step, moment) for step in shown]
        lines = columns(rows, width, self._colour)
        if left := [steps[name].standing for name in steps.keys() - {step.id for step in shown}]:
            told = counts_text((status, left.count(status)) for status in MARKS)
            lines.append(fit(f"  … {counted(len(left), 'more step')}: {told}", width))
        if at_work:
            if self._told > _TOLD:
                lines.append(fit(f"  last: {self._last}", width))
            summed = fitting(summed_up(moment, self._driven_since or self._now), width - 2)
            lines.append(painted(Text.assemble("  ", summed), self._colour))
        return lines


def _most_telling(steps: list[StepTally], room: int) -> list[StepTally]:
    """As many steps as there is room for, in file order: those at work or gone wrong first, then the nearest."""
    if len(steps) <= room:
        return steps
    ranks = {"running": 0, "in_doubt": 0, "failed": 0, "cancelled": 0, "waiting": 0, "pending": 1}
    order = sorted(range(len(steps)), key=lambda index: (ranks.get(steps[index].standing, 2), index))
    return [steps[index] for index in sorted(order[:room])]
