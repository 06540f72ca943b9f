"""What a view of a live run is: the engine tells it what happened, and it says so without ever blocking or raising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from durun.model.event import Stamped
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import RunStatus


class Result(Protocol):
    """How driving a run came back; the engine's `Outcome` is one."""

    @property
    def run_id(self) -> str:
        """The run."""

    @property
    def status(self) -> RunStatus:
        """Where it stands."""

    @property
    def exit_code(self) -> int:
        """The process's exit code."""

    @property
    def head(self) -> str:
        """The digest of the register's newest entry about the run; empty where it is not known."""

    @property
    def state(self) -> RunState | None:
        """The whole state, where it is known."""


class View(Protocol):
    """Shows a run while it is driven. See `durun.engine.api.Observer` for when each method is called."""

    def began(self, state: RunState, plan: Plan, runbook: Runbook) -> None:
        """The run is about to be driven."""

    def saw(self, events: Sequence[Stamped], state: RunState) -> None:
        """These events were committed, and `state` includes them."""

    def said(self, notice: str) -> None:
        """A line that the operator should read."""

    def tick(self, now: float) -> None:
        """Time passed."""

    def ended(self, outcome: Result) -> None:
        """Nothing more will come."""

    def close(self, exit_code: int) -> None:
        """Write what is left. `exit_code` is the process's; the run may have stopped without `ended`."""
