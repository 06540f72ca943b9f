"""An engine that does what a run of one step would do, for tests of what is asked of it."""

from __future__ import annotations

from durun.engine.api import Outcome
from durun.language.inputs import digest_of
from durun.model import event as ev
from durun.model.event import Stamped
from durun.model.plan import Node, Plan
from events import started

BOOK = """\
durun: 1
name: backup
inputs:
  role: {type: string, default: app}
steps:
  - id: dump
    run: echo dump
    outputs: {path: {}, size: {type: integer}}
"""


class Engine:
    """Does what a run of one step would do, in memory, and remembers what it was asked."""

    def __init__(self):
        self.app = None
        self.asked = []
        self.outcome = "succeeded"
        self.error = None

    def _drive(self, run_id, observer):
        state = self.app.state(run_id)
        node = Node("dump")
        plan = Plan({"dump": node}, ("dump",))
        from durun.model.runbook import Runbook

        observer.began(state, plan, Runbook("backup", "", "", ()))
        if self.error is not None:
            raise self.error
        codes = {"succeeded": 0, "failed": 1, "in_doubt": 3}
        events = [started("dump", nonce="secret-nonce")]
        if self.outcome == "succeeded":
            events.append(ev.TaskSucceeded(step="dump", how="ran", exit_code=0, outputs={"path": "/x"}))
            events.append(ev.RunEnded(status="succeeded", exit_code=0, outputs={"path": "/x"}))
        elif self.outcome == "failed":
            events.append(ev.TaskFailed(step="dump", how="ran", code="exit", reason="exit code 7", exit_code=7))
            events.append(ev.RunEnded(status="failed", exit_code=1))
        else:
            events.append(ev.TaskInDoubt(step="dump", reason="ended by signal 9"))
            events.append(ev.RunParked(status="in_doubt", reason="dump is in doubt"))
        for event in events:
            number = self.app.journal.append(run_id, state.record.sequence, [event], 1_767_225_600.0)
            stamped = Stamped(number, 1_767_225_600.0, event)
            state.fold(stamped)
            observer.saw([stamped], state)
        observer.tick(1_767_225_601.0)
        outcome = Outcome(run_id, self.outcome, codes[self.outcome], state)
        observer.ended(outcome)
        return outcome

    def start(self, request, observer):
        self.asked.append(request)
        first = ev.RunCreated(
            runbook=request.source.runbook.name,
            digest=request.source.runbook.digest,
            text=request.source.runbook.text,
            file=request.source.file,
            place=request.source.place,
            inputs=request.inputs,
            inputs_digest=digest_of(request.inputs),
            tasks=1,
            by=request.by,
            version="0",
            surroundings={"env": {}},
            request_id=request.request_id,
        )
        run_id = f"run-{len(self.asked)}"
        self.app.journal.append(run_id, 0, [first], 1_767_225_600.0)
        return self._drive(run_id, observer)

    def resume(self, request, observer):
        self.asked.append(request)
        return self._drive(request.run_id, observer)

    def signal(self, request, observer):
        self.asked.append(request)
        return Outcome(request.run_id, "interrupted", 0)

    def cancel(self, request, observer):
        self.asked.append(request)
        return Outcome(request.run_id, "cancelled", 12)
