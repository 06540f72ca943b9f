"""The local engine: a run is driven by this very process, with a supervisor at its side."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from durun.config import Config
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
from durun.engine.changes import changes_of
from durun.engine.local.discretion import close, open_secrecy, seal_inputs, see_to_secrets
from durun.engine.local.driving import Driver
from durun.engine.local.files import changed_files, remove_folder
from durun.engine.local.groups import telling_holder
from durun.engine.local.origin import make_run_folder, new_id, run_created, runbook_changed
from durun.engine.local.procs import boot_id, exists, pid_namespace
from durun.engine.local.requirements import check_requirements
from durun.engine.local.said import refuse_secrets
from durun.engine.local.session import Charge
from durun.engine.local.sharing import others_of
from durun.engine.local.surroundings import fingerprint_key, refuse_differences, take_down
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
from durun.errors import Busy, DurunError, NoSuchRun
from durun.journal.api import Journal
from durun.journal.claim import RunLock
from durun.journal.reading import moment, read_state
from durun.language.concurrency import group_name
from durun.language.plan import make_plan
from durun.model.clock import Clock
from durun.model.copies import copy_name
from durun.model.event import Event, Stamped, SurroundingsAccepted
from durun.model.outcome import exit_code_of
from durun.model.plan import Plan
from durun.model.privilege import reap_due
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import FINAL, RESUMABLE
from durun.model.task import TaskKey
from durun.model.values import Json


class LocalEngine:
    """Drives runs in this process (`durun.engine.api.Engine`)."""

    def __init__(self, config: Config, journal: Journal, clock: Clock) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock
        self._driver = Driver(config, journal, clock)

    # -- the verbs --------------------------------------------------------------------------------------------

    def start(self, request: StartRequest, observer: Observer) -> Outcome:
        """Create a run and drive it."""
        with telling_holder(self._config, self._journal):
            return self._start(request, observer)

    def _start(self, request: StartRequest, observer: Observer) -> Outcome:
        source = request.source
        runbook = source.runbook
        for requires in runbook.all_requires:
            check_requirements(requires, os.environ.get("PATH", os.defpath))
        group = group_name(runbook, request.inputs, os.environ)
        refuse_start(self._journal, request, group)
        run_id = new_id()
        folder = make_run_folder(self._config.run_folder(run_id), new=True)
        lock = RunLock(self._config.run_lock(run_id), self._clock)
        lock.acquire()
        secrecy = open_secrecy(self._config, run_id, source.place, runbook)
        try:
            surroundings = take_down(runbook, fingerprint_key(self._config.home), os.environ)
            plan = make_plan(runbook, request.inputs, surroundings["env"], run_id)
            sealed = seal_inputs(secrecy, request.secret_inputs)
            created = run_created(request, plan, surroundings, sealed, group, folder)
            now = self._clock.now()
            state = RunState.begin(run_id, Stamped(1, now, created))
            charge = Charge(state, plan, runbook, secrecy)
            notices = see_to_secrets(charge)
            for number, event in enumerate(record_run(self._journal, run_id, created, now, request)[1:], 2):
                state.fold(Stamped(number, now, event))
            for line in notices:
                observer.said(line)
            if state.record.status == "waiting":
                return _left(charge, observer)
            return self._driver.drive(charge, Beginning("start", request.by, park=request.park), observer)
        except BaseException:
            self._forget_unborn(run_id, folder)
            raise
        finally:
            close(secrecy)
            lock.release()

    def resume(self, request: ResumeRequest, observer: Observer) -> Outcome:
        """Take a run up again."""
        record = self._journal.record(request.run_id)
        refuse_final(record, "resume", "; start a new run")
        with self._lock(record.id), telling_holder(self._config, self._journal):
            return self._take_up(request, observer)

    def signal(self, request: SettleRequest | DecideRequest, observer: Observer) -> Outcome:
        """Record a person's word: on a task in doubt, or on what a task waits for."""
        if isinstance(request, DecideRequest):
            self._refuse_secrets(request, request.fields, request.attachments)
            return decide(self._journal, self._clock, request)
        self._refuse_secrets(request, request.outputs)
        append_newest(self._journal, self._clock, request.run_id, lambda state: self._settled(state, request))
        record = self._journal.record(request.run_id)
        doubts = record.counts.get("in_doubt", 0)
        if record.cancel_requested and not doubts and record.status == "in_doubt":
            return self._drive_if_free(request.run_id, lambda _: Beginning("settle", request.by), observer)
        return Outcome(record.id, record.status, 0)

    def rollback(self, request: RollbackRequest, observer: Observer) -> Outcome:
        """Ask that what a run did be undone, and undo it where nobody drives the run."""

        def wish(state: RunState) -> Event:
            return rollback_wished(state, request, stored_runbook(state))

        def roll_back() -> Outcome:
            resume = ResumeRequest(request.run_id, request.by, accept_env=request.accept_env)
            return self._take_up(resume, observer, wish(read_state(self._journal, request.run_id)))

        self._refuse_secrets(request)
        self._journal.record(request.run_id)  # raises NoSuchRun, before a folder is made for it
        outcome = self._if_free(request.run_id, roll_back)
        if outcome.driver == "other":
            append_newest(self._journal, self._clock, request.run_id, wish)
        return outcome

    def reap(self, request: ReapRequest, observer: Observer) -> Outcome:
        """Close the privileges of a run that end by now, and leave it else as it is."""
        state = read_state(self._journal, request.run_id)
        plan = stored_plan(state, stored_runbook(state))
        if not reap_due(plan, state, moment(self._journal, self._clock, state.record)):
            return left_open(plan, state, observer)
        with self._lock(request.run_id):
            state = read_state(self._journal, request.run_id)
            runbook = stored_runbook(state)  # a resume may have changed it by now
            now = take_down(runbook, fingerprint_key(self._config.home), os.environ)
            refuse_differences(state.created.surroundings, now, state.accepted, request.run_id)
            return self._carry_out(state, runbook, Beginning("reap", request.by), observer)

    def cancel(self, request: CancelRequest, observer: Observer) -> Outcome:
        """Ask that a run be stopped, and stop it where nobody drives it."""

        def begin(state: RunState) -> Beginning:
            return cancelling(state, request)

        self._refuse_secrets(request)
        if self._journal.record(request.run_id).status in RESUMABLE:
            # It is over, and given up on. Only if somebody is just resuming it, that process is asked.
            outcome = self._drive_if_free(request.run_id, begin, observer)
            if outcome.driver == "self":
                return outcome
        append_newest(self._journal, self._clock, request.run_id, lambda state: cancelled(state, request))
        return self._drive_if_free(request.run_id, begin, observer)

    # -- driving ----------------------------------------------------------------------------------------------

    def _take_up(self, request: ResumeRequest, observer: Observer, wish: Event | None = None) -> Outcome:
        if (others := others_of(self._config, request.run_id, self._journal, self._clock)) is not None:
            others.hear()
        state = read_state(self._journal, request.run_id)
        refuse_resume(self._journal, state.record)
        runbook = stored_runbook(state)
        then = state.created.surroundings
        now = take_down(runbook, fingerprint_key(self._config.home), os.environ)
        accepted = refuse_differences(then, now, {*state.accepted, *request.accept_env}, request.run_id)
        events: list[Event] = []
        if new := [name for name in accepted if name not in state.accepted]:
            events.append(SurroundingsAccepted(names=new, by=request.by))
        env = then["env"]
        if request.change is not None:
            changes_of(runbook, request.change.runbook, state)
            if (outcome := self._settle_open(state, runbook, request, observer)) is not None:
                return outcome
            state = read_state(self._journal, request.run_id)
            changed = runbook_changed(
                state, runbook, request.change, request.by, self._config.run_folder(request.run_id)
            )
            for line in changed.changes if changed is not None else ("the runbook has not changed",):
                observer.said(line)
            if changed is not None:
                events.append(changed)
                runbook, env = request.change.runbook, {**env, **changed.env}
        for requires in runbook.all_requires:
            check_requirements(requires, then["path"])
        plan = make_plan(runbook, state.created.inputs, env, request.run_id)
        if request.change is None:
            self._say_what_differs(state, observer)
            if state.created.plugins:
                events += self._plugins(state, runbook, plan, request, observer)
        beginning = Beginning("resume", request.by, request.fresh, events, request.park)
        if wish is not None:
            fresh = state.record.rollback_code is not None
            beginning = Beginning("rollback", request.by, fresh, [*events, wish])
        with self._driver.secrecy(state, runbook) as secrecy:
            charge = Charge(state, plan, runbook, secrecy)
            for line in see_to_secrets(charge):
                observer.said(line)
            return self._driver.drive(charge, beginning, observer)

    def _settle_open(
        self, state: RunState, runbook: Runbook, request: ResumeRequest, observer: Observer
    ) -> Outcome | None:
        if not state.record.counts.get("running"):
            return None
        plan = stored_plan(state, runbook)
        with self._driver.secrecy(state, runbook) as secrecy:
            if secrecy is not None:
                secrecy.recall(state)
            beginning = Beginning("resume", request.by)
            return self._driver.settle_open(Charge(state, plan, runbook, secrecy), beginning, observer)

    def _drive_if_free(self, run_id: str, begin: Callable[[RunState], Beginning], observer: Observer) -> Outcome:
        """Carry a recorded request out, unless another process drives the run: then that one does."""

        def carry_out() -> Outcome:
            state = read_state(self._journal, run_id)
            if state.record.status in FINAL:
                return Outcome(run_id, state.record.status, 0)  # somebody else has just brought it to its end
            return self._carry_out(state, stored_runbook(state), begin(state), observer)

        return self._if_free(run_id, carry_out)

    def _if_free(self, run_id: str, work: Callable[[], Outcome]) -> Outcome:
        """Work on the run, unless another process drives it: then the outcome says which."""
        lock = self._lock(run_id)
        try:
            lock.acquire()
        except Busy:
            status = self._journal.record(run_id).status
            return Outcome(run_id, status, 0, driver="other", holder=lock.holder() or {})
        try:
            with telling_holder(self._config, self._journal):
                return work()
        finally:
            lock.release()

    def _carry_out(self, state: RunState, runbook: Runbook, beginning: Beginning, observer: Observer) -> Outcome:
        """Drive the run to do what needs none of its secrets: those that can't be had are done without."""
        plan = stored_plan(state, runbook)
        with self._driver.secrecy(state, runbook) as secrecy:
            if secrecy is not None:
                secrecy.recall_if_possible(state)
            beginning = with_plugins(beginning, state, runbook, plan)
            return self._driver.drive(Charge(state, plan, runbook, secrecy), beginning, observer)

    # -- pieces -----------------------------------------------------------------------------------------------

    def _lock(self, run_id: str) -> RunLock:
        """The run's lock, which is not taken yet. Its folder is there, should somebody have removed it."""
        make_run_folder(self._config.run_folder(run_id))
        return RunLock(self._config.run_lock(run_id), self._clock)

    def _refuse_secrets(
        self, request: SettleRequest | DecideRequest | RollbackRequest | CancelRequest, *said: Json
    ) -> None:
        refuse_secrets(self._config, self._journal, request.run_id, request.reason, *said)

    def _settled(self, state: RunState, request: SettleRequest) -> Event:
        def seal(values: Mapping[str, Json]) -> Mapping[str, Json]:
            with self._driver.secrecy(state, stored_runbook(state)) as secrecy:
                return secrecy.seal(f"sealed/settled-{os.urandom(16).hex()}", values) if secrecy is not None else {}

        return settled(state, request, lambda pid: _lives(pid, state, request.task), seal)

    def _plugins(
        self, state: RunState, runbook: Runbook, plan: Plan, request: ResumeRequest, observer: Observer
    ) -> list[Event]:
        """What has changed about the plugins that the run uses. Raises CannotStart, Changed."""
        from durun.engine.local.brought import plugins_now

        changed = plugins_now(state, runbook, plan, request.by)
        if changed is None:
            return []
        for line in changed.changes:
            observer.said(line)
        return [changed]

    def _say_what_differs(self, state: RunState, observer: Observer) -> None:
        """The copy of the start is what runs; an operator who edited a file should know."""
        for name in changed_files(state.created.files, Path(state.created.place)):
            copy = f"{state.created.files_folder}/{copy_name(name)}"
            observer.said(f"{name} differs from the copy of the start, which is used ({copy} in the run's folder)")

    def _forget_unborn(self, run_id: str, folder: Path) -> None:
        """Remove the folder of a run that never came into the journal; where that can't be told, it stays."""
        try:
            self._journal.head(run_id)
        except NoSuchRun:
            remove_folder(folder)
        except DurunError:
            return


def with_plugins(beginning: Beginning, state: RunState, runbook: Runbook, plan: Plan) -> Beginning:
    """With what has changed about plugins; one that is not there fails the step that uses it."""
    if not state.created.plugins:
        return beginning
    from durun.engine.local.brought import plugins_at_the_end

    changed = plugins_at_the_end(state, runbook, plan, beginning.by)
    return beginning if changed is None else beginning._replace(events=[*beginning.events, changed])


def _left(charge: Charge, observer: Observer) -> Outcome:
    """A run that is parked before anybody has driven it."""
    state = charge.state
    observer.began(state, charge.plan, charge.runbook)
    status = state.record.status
    outcome = Outcome(state.record.id, status, exit_code_of(status, state.tasks), state)
    observer.ended(outcome)
    return outcome


def _lives(pid: int, state: RunState, key: TaskKey) -> bool:
    """Whether a process of the task lives; of another boot or pid namespace, its number is somebody else's by now."""
    attempt = state.tasks[key].attempt
    then = state.sessions[attempt.session] if attempt is not None else None
    if then is not None and (then.boot_id, then.pid_namespace) != (boot_id(), pid_namespace()):
        return False
    return exists(pid)
