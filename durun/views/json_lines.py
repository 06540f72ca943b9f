"""A run as JSON lines, for programs: nothing is dropped, and the last line of each run is `run_ended`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from durun.model import event as ev
from durun.model.event import Stamped
from durun.model.state import RunState
from durun.model.values import Json
from durun.views.channel import Channel
from durun.views.json import SCHEMA, AttemptNumbers, dump, event_line, iso, standing
from durun.views.summary import all_counts

if TYPE_CHECKING:
    from durun.model.clock import Clock
    from durun.model.plan import Plan
    from durun.model.runbook import Runbook
    from durun.views.observer import Result

_PATIENCE = 30.0
"""Seconds without any progress after which a reader counts as gone. A program may be slow where a person is not."""


class JsonLines:
    """`run --json` and `resume --json`: one object a line; the last one of each run is `run_ended`."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._attempts: AttemptNumbers | None = None
        self._state: RunState | None = None
        self._at: float | None = None

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:  # noqa: ARG002
        """Remember which attempts there were."""
        self._state = state
        self._attempts = AttemptNumbers(state.tasks)

    def saw(self, events: Sequence[Stamped], state: RunState) -> None:
        """A line for each event; the end is left to `ended`, which knows the exit code."""
        self._state = state
        attempts = self._attempts = self._attempts or AttemptNumbers()
        lines = [
            dump(event_line(state.record.id, stamped, attempts.of(stamped.event)))
            for stamped in events
            if not isinstance(stamped.event, ev.RunEnded)
        ]
        self._at = events[-1].at if events else self._at
        self._channel.write("".join(lines))

    def said(self, notice: str) -> None:
        """A notice is a line too."""
        run_id = self._state.record.id if self._state else None
        line = {"schema": SCHEMA, "event": "notice", "run": run_id, "at": iso(self._clock.now()), "text": notice}
        self._channel.write(dump(line))

    def tick(self, now: float) -> None:
        """Nothing."""

    def ended(self, outcome: Result) -> None:
        """The last line, also when the run parks or is interrupted."""
        self._end(outcome.run_id, outcome.status, outcome.exit_code, outcome.state, outcome.head)
        self._state = None

    def close(self, exit_code: int) -> None:
        """Write what is left; when durun stopped in the middle, the last line says so."""
        if self._state is not None:
            record = self._state.record
            status = "interrupted" if record.status in ("running", "pending") else record.status
            self._end(record.id, status, exit_code, self._state)
        self._channel.close(_PATIENCE)

    def _end(self, run_id: str, status: str, exit_code: int, state: RunState | None, head: str = "") -> None:
        line: dict[str, Json] = {"schema": SCHEMA, "event": "run_ended", "run": run_id}
        line |= {"status": status, "exit_code": exit_code, "head": head or None}
        if state is not None:
            record = state.record
            line |= {
                "at": iso(self._at or record.ended_at or record.created_at),
                "reason": record.reason,
                "outputs": record.outputs,
            }
            line["tasks"] = {"total": record.total, **all_counts(record)}
            line["standing"] = standing(state)
        self._channel.write(dump(line))
