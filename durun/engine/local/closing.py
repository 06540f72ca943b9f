"""Ends a run, and says what it waits for when it parks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from durun.engine.ledger import Ledger
from durun.engine.local.marks import mark_notice
from durun.engine.local.prepare import Preparer
from durun.engine.notices import due, of_status
from durun.language.expressions import ExpressionError, render
from durun.model.clock import to_iso
from durun.model.ending import ended_too_early, exit_code_in, left_standing
from durun.model.event import RunEnded, RunParked
from durun.model.runbook import Runbook
from durun.model.status import RunStatus
from durun.model.values import Json


class Closer:
    """Ends or parks one run."""

    def __init__(self, ledger: Ledger, preparer: Preparer, runbook: Runbook, run_folder: Path) -> None:
        self._ledger = ledger
        self._preparer = preparer
        self._runbook = runbook
        self._run_folder = run_folder

    def park(self, status: Literal["waiting", "in_doubt"]) -> None:
        """Leave the run until a person or a time has come."""
        self._have_told(status, 0)
        self._ledger.emit(RunParked(status=status, reason=self._waiting_for()))

    def _have_told(self, status: RunStatus, exit_code: int) -> None:
        """Who is to be told of this is recorded with it."""
        if not self._runbook.notify:
            return
        newest = self._ledger.newest("notify_due")
        wanted = due(self._runbook, self._ledger.state, of_status(status, exit_code), newest)
        if wanted is not None:
            mark_notice(self._run_folder.parent.parent, self._run_folder.name)
            self._ledger.emit(wanted)

    def end(self, status: RunStatus) -> None:
        """End the run; its outputs are rendered if it has succeeded."""
        state = self._ledger.state
        outputs: dict[str, Json] = {}
        reason = self._ledger.cancel_reason() if status == "cancelled" else ""
        if status == "succeeded":
            try:
                scope = self._preparer.values.scope(None)
                outputs = {name: render(value, scope) for name, value in self._runbook.outputs.items()}
            except ExpressionError as error:
                status, reason = "failed", f"outputs: {error.message}"
        plan = self._ledger.plan
        if status in ("failed", "rolled_back"):
            reason = reason or ended_too_early(plan, state)
        ended = RunEnded(
            status=status,
            exit_code=exit_code_in(plan, state, status),
            outputs=outputs,
            reason=reason,
            standing=left_standing(plan, state),
        )
        self._have_told(status, ended.exit_code)
        self._ledger.emit(ended)

    def _waiting_for(self) -> str:
        tasks = self._ledger.state.tasks.items()
        doubts = [str(key) for key, task in tasks if task.status == "in_doubt"]
        if doubts:
            return f"in doubt: {_some(doubts)}"
        people = [str(key) for key, task in tasks if task.waiting and task.waiting.asked is not None]
        waits = [
            (task.waiting.due, str(key))
            for key, task in tasks
            if task.waiting and task.waiting.asked is None and task.waiting.due is not None
        ]
        told = [f"for people: {_some(people)}"] if people else []
        if waits:
            told.append(f"until {to_iso(min(waits)[0])}: {_some([name for _, name in sorted(waits)])}")
        return "; ".join(told) or "nothing can be done now"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
