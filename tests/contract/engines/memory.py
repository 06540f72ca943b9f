"""A second engine: no processes, no files, no locks. It shows that an engine needs no more than the seam gives."""

from __future__ import annotations

from collections.abc import Callable

from contract.engines.memory_drive import Drive
from contract.engines.memory_world import Clock, MemoryWorld
from durun.engine.api import (
    CancelRequest,
    DecideRequest,
    Observer,
    Outcome,
    ReapRequest,
    ResumeRequest,
    RollbackRequest,
    SettleRequest,
    StartRequest,
)
from durun.engine.beginning import Beginning
from durun.engine.changes import changes_of, tasks_added
from durun.engine.ledger import Ledger
from durun.engine.people import decide
from durun.engine.requests import (
    append_newest,
    cancelled,
    cancelling,
    left_open,
    record_run,
    refuse_final,
    refuse_resume,
    refuse_start,
    rollback_wished,
    settled,
)
from durun.engine.stored import stored_plan, stored_runbook
from durun.errors import Busy
from durun.journal.api import Journal
from durun.journal.reading import read_state
from durun.language.concurrency import group_name
from durun.language.inputs import digest_of
from durun.language.plan import make_plan
from durun.model import event as ev
from durun.model.plan import Plan
from durun.model.privilege import reap_due
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import FINAL, RESUMABLE


class MemoryEngine:
    """See `durun.engine.api.Engine`."""

    def __init__(self, journal: Journal, clock: Clock, world: MemoryWorld) -> None:
        self._journal = journal
        self._clock = clock
        self._world = world

    def start(self, request: StartRequest, observer: Observer) -> Outcome:
        runbook, run_id = request.source.runbook, self._world.name("run")
        group = group_name(runbook, request.inputs, {})
        refuse_start(self._journal, request, group)
        plan = make_plan(runbook, request.inputs, {}, run_id)
        created = ev.RunCreated(
            runbook=runbook.name,
            digest=runbook.digest,
            text=runbook.text,
            included=runbook.included,
            plugins=runbook.plugins,
            file=request.source.file,
            place=request.source.place,
            inputs=request.inputs,
            inputs_digest=digest_of(request.inputs),
            tasks=plan.task_count(plan.roots),
            by=request.by,
            version="memory",
            surroundings={"env": {}},
            only_targets=tuple(request.only_targets),
            request_id=request.request_id,
            steps=plan.all_leaves(plan.roots),
            finally_steps=plan.all_leaves(plan.finals),
            concurrency_group=group,
            release_on=runbook.concurrency.release_on if runbook.concurrency is not None else (),
        )
        with self._world.driving(run_id):
            now = self._clock.now()
            state = RunState.begin(run_id, ev.Stamped(1, now, created))
            for number, event in enumerate(record_run(self._journal, run_id, created, now, request)[1:], 2):
                state.fold(ev.Stamped(number, now, event))
            if state.record.status == "waiting":
                observer.began(state, plan, runbook)
                outcome = Outcome(run_id, "waiting", 5, state)
                observer.ended(outcome)
                return outcome
            return self._drive(state, plan, runbook, Beginning("start", request.by, park=request.park), observer)

    def resume(self, request: ResumeRequest, observer: Observer) -> Outcome:
        refuse_final(self._journal.record(request.run_id), "resume")
        with self._world.driving(request.run_id):
            state = read_state(self._journal, request.run_id)
            refuse_resume(self._journal, state.record)
            events: list[ev.Event] = []
            runbook = stored_runbook(state)
            if request.change is not None:
                events.append(changed := _changed(state, runbook, request))
                for line in changed.changes:
                    observer.said(line)
                runbook = request.change.runbook
            plan = stored_plan(state, runbook)
            beginning = Beginning("resume", request.by, request.fresh, events, request.park)
            return self._drive(state, plan, runbook, beginning, observer)

    def signal(self, request: SettleRequest | DecideRequest, observer: Observer) -> Outcome:
        if isinstance(request, DecideRequest):
            return decide(self._journal, self._clock, request)
        append_newest(self._journal, self._clock, request.run_id, lambda state: settled(state, request, _nobody_lives))
        record = self._journal.record(request.run_id)
        if record.cancel_requested and record.status == "in_doubt" and not record.counts.get("in_doubt"):
            return self._drive_if_free(request.run_id, lambda _: Beginning("settle", request.by), observer)
        return Outcome(record.id, record.status, 0)

    def rollback(self, request: RollbackRequest, observer: Observer) -> Outcome:
        def wish(state: RunState) -> ev.Event:
            return rollback_wished(state, request, stored_runbook(state))

        try:
            with self._world.driving(request.run_id):
                state = read_state(self._journal, request.run_id)
                event, runbook = wish(state), stored_runbook(state)
                refuse_resume(self._journal, state.record)
                plan = stored_plan(state, runbook)
                beginning = Beginning("rollback", request.by, state.record.rollback_code is not None, [event])
                return self._drive(state, plan, runbook, beginning, observer)
        except Busy:
            append_newest(self._journal, self._clock, request.run_id, wish)
            status = self._journal.record(request.run_id).status
            return Outcome(request.run_id, status, 0, driver="other", holder={})

    def reap(self, request: ReapRequest, observer: Observer) -> Outcome:
        with self._world.driving(request.run_id):
            state = read_state(self._journal, request.run_id)
            runbook = stored_runbook(state)
            plan = stored_plan(state, runbook)
            if not reap_due(plan, state, self._clock.now()):
                return left_open(plan, state, observer)
            return self._drive(state, plan, runbook, Beginning("reap", request.by), observer)

    def cancel(self, request: CancelRequest, observer: Observer) -> Outcome:
        def begin(state: RunState) -> Beginning:
            return cancelling(state, request)

        if self._journal.record(request.run_id).status in RESUMABLE:
            # It is over, and given up on. Only if somebody is just resuming it, that process is asked.
            outcome = self._drive_if_free(request.run_id, begin, observer)
            if outcome.driver == "self":
                return outcome
        append_newest(self._journal, self._clock, request.run_id, lambda state: cancelled(state, request))
        return self._drive_if_free(request.run_id, begin, observer)

    def _drive_if_free(self, run_id: str, begin: Callable[[RunState], Beginning], observer: Observer) -> Outcome:
        try:
            with self._world.driving(run_id):
                state = read_state(self._journal, run_id)
                if state.record.status in FINAL:
                    return Outcome(run_id, state.record.status, 0)  # somebody else has just brought it to its end
                runbook = stored_runbook(state)
                plan = stored_plan(state, runbook)
                return self._drive(state, plan, runbook, begin(state), observer)
        except Busy:
            return Outcome(run_id, self._journal.record(run_id).status, 0, driver="other", holder={})

    def _drive(
        self, state: RunState, plan: Plan, runbook: Runbook, beginning: Beginning, observer: Observer
    ) -> Outcome:
        reaping = beginning.reason == "reap"
        ledger = Ledger(self._journal, state, plan, self._clock, observer, reaping=reaping)
        observer.began(state, plan, runbook)
        outcome = Drive(ledger, runbook, beginning, self._clock, self._world, observer).drive()
        observer.ended(outcome)
        return outcome


def _changed(state: RunState, old: Runbook, request: ResumeRequest) -> ev.RunbookChanged:
    assert request.change is not None
    new = request.change.runbook
    before, after = stored_plan(state, old), stored_plan(state, new)
    return ev.RunbookChanged(
        digest=new.digest,
        text=new.text,
        included=new.included,
        file=request.change.file,
        place=request.change.place,
        changes=changes_of(old, new, state),
        tasks=tasks_added(before, after, state),
        by=request.by,
        steps=after.all_leaves(after.roots),
        finally_steps=after.all_leaves(after.finals),
    )


def _nobody_lives(pid: int) -> bool:
    return False
