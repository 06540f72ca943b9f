"""The local engine: a run is driven by this very process, with a supervisor at its side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from durun import __version__
from durun.config import Config
from durun.engine.api import CancelRequest, Observer, Outcome, ResumeRequest, SettleRequest, Source, StartRequest
from durun.engine.beginning import Beginning
from durun.engine.changes import changes_of, tasks_added
from durun.engine.local.discretion import (
    close,
    destroy_seals,
    forget_files,
    mark,
    open_secrecy,
    seal_inputs,
    see_to_secrets,
)
from durun.engine.local.files import FOLDER, changed_files, copy_files, remove_folder, sync_folder
from durun.engine.local.folder import STOP, make_attempts
from durun.engine.local.groups import telling_holder
from durun.engine.local.hands import take as take_hands
from durun.engine.local.procs import boot_id, exists, pid_namespace
from durun.engine.local.recovery import refuse_older_journal
from durun.engine.local.requirements import check_requirements
from durun.engine.local.runner import Runner
from durun.engine.local.session import Session
from durun.engine.local.signals import Signals
from durun.engine.local.surroundings import fingerprint_key, refuse_differences, take_down
from durun.engine.requests import (
    append_newest,
    cancelled,
    cancelling,
    inputs_digest,
    record_run,
    refuse_final,
    refuse_resume,
    refuse_start,
    settled,
    stored_runbook,
)
from durun.errors import Busy, DurunError, NoSuchRun, StorageFailed
from durun.journal.api import Journal
from durun.journal.claim import RunLock
from durun.journal.reading import read_state
from durun.language.concurrency import group_name
from durun.language.plan import make_plan
from durun.model.clock import Clock
from durun.model.event import Event, RunbookChanged, RunCreated, Stamped, SurroundingsAccepted
from durun.model.outcome import exit_code_of
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.status import ENDED, FINAL
from durun.model.task import TaskKey
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.engine.local.secrecy import LocalSecrecy

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 10


class LocalEngine:
    """Drives runs in this process (`durun.engine.api.Engine`)."""

    def __init__(self, config: Config, journal: Journal, clock: Clock) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock

    # -- the four verbs ---------------------------------------------------------------------------------------

    def start(self, request: StartRequest, observer: Observer) -> Outcome:
        """Create a run and drive it."""
        with telling_holder(self._config, self._journal):
            return self._start(request, observer)

    def _start(self, request: StartRequest, observer: Observer) -> Outcome:
        source = request.source
        runbook, place = source.runbook, Path(source.place)
        check_requirements(runbook.requires, os.environ.get("PATH", os.defpath))
        group = group_name(runbook, request.inputs, os.environ)
        refuse_start(self._journal, request, group)
        run_id = _new_id()
        folder = self._make_folder(run_id, new=True)
        lock = RunLock(self._config.run_lock(run_id), self._clock)
        lock.acquire()
        secrecy = open_secrecy(self._config, run_id, source.place, runbook)
        try:
            surroundings = take_down(runbook, fingerprint_key(self._config.home), os.environ)
            plan = make_plan(runbook, request.inputs, surroundings["env"], run_id)
            created = RunCreated(
                runbook=runbook.name,
                digest=runbook.digest,
                text=runbook.text,
                file=source.file,
                place=source.place,
                inputs=request.inputs,
                inputs_digest=inputs_digest(request),
                tasks=plan.task_count(plan.roots),
                by=request.by,
                version=__version__,
                surroundings=surroundings,
                files=copy_files(runbook.files, place, folder) if runbook.files else {},
                only_targets=tuple(request.only_targets),
                request_id=request.request_id,
                steps=plan.all_leaves(plan.roots),
                finally_steps=plan.all_leaves(plan.finals),
                sealed=seal_inputs(secrecy, request.secret_inputs),
                concurrency_group=group,
                release_on=runbook.concurrency.release_on if runbook.concurrency is not None else (),
            )
            now = self._clock.now()
            state = RunState.begin(run_id, Stamped(1, now, created))
            notices = see_to_secrets(secrecy, state, plan, runbook)
            for number, event in enumerate(record_run(self._journal, run_id, created, now, request)[1:], 2):
                state.fold(Stamped(number, now, event))
            for line in notices:
                observer.said(line)
            if state.record.status == "waiting":
                return _left(state, plan, runbook, observer)
            beginning = Beginning("start", request.by, park=request.park)
            return self._drive(state, plan, runbook, beginning, observer, secrecy)
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
        lock = RunLock(self._config.run_lock(record.id), self._clock)
        self._make_folder(record.id)
        lock.acquire()
        try:
            with telling_holder(self._config, self._journal):
                return self._take_up(request, observer)
        finally:
            lock.release()

    def signal(self, request: SettleRequest, observer: Observer) -> Outcome:
        """Record an operator's word on a task in doubt."""
        append_newest(self._journal, self._clock, request.run_id, lambda state: self._settled(state, request))
        record = self._journal.record(request.run_id)
        doubts = record.counts.get("in_doubt", 0)
        if record.cancel_requested and not doubts and record.status == "in_doubt":
            return self._drive_if_free(request.run_id, lambda _: Beginning("settle", request.by), observer)
        return Outcome(record.id, record.status, 0)

    def _settled(self, state: RunState, request: SettleRequest) -> Event:
        def seal(values: Mapping[str, Json]) -> Mapping[str, Json]:
            with self._secrecy(state, stored_runbook(state)) as secrecy:
                return secrecy.seal(f"sealed/settled-{os.urandom(16).hex()}", values) if secrecy is not None else {}

        return settled(state, request, lambda pid: _lives(pid, state, request.task), seal)

    def cancel(self, request: CancelRequest, observer: Observer) -> Outcome:
        """Ask that a run be stopped, and stop it where nobody drives it."""

        def begin(state: RunState) -> Beginning:
            return cancelling(state, request)

        if self._journal.record(request.run_id).status == "failed":
            # It is over, and given up on. Only if somebody is just resuming it, that process is asked.
            outcome = self._drive_if_free(request.run_id, begin, observer)
            if outcome.driver == "self":
                return outcome
        append_newest(self._journal, self._clock, request.run_id, lambda state: cancelled(state, request))
        return self._drive_if_free(request.run_id, begin, observer)

    # -- driving ----------------------------------------------------------------------------------------------

    def _take_up(self, request: ResumeRequest, observer: Observer) -> Outcome:
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
            changed = self._changed(state, runbook, request.change, request.by)
            for line in changed.changes:
                observer.said(line)
            events.append(changed)
            runbook, env = request.change.runbook, {**env, **changed.env}
        check_requirements(runbook.requires, then["path"])
        if request.change is None:
            self._say_what_differs(state, observer)
        plan = make_plan(runbook, state.created.inputs, env, request.run_id)
        beginning = Beginning("resume", request.by, request.fresh, events, request.park)
        with self._secrecy(state, runbook) as secrecy:
            for line in see_to_secrets(secrecy, state, plan, runbook):
                observer.said(line)
            return self._drive(state, plan, runbook, beginning, observer, secrecy)

    @contextmanager
    def _secrecy(self, state: RunState, runbook: Runbook) -> Iterator[LocalSecrecy | None]:
        secrecy = open_secrecy(self._config, state.record.id, state.created.place, runbook)
        try:
            yield secrecy
        finally:
            close(secrecy)

    def _drive(
        self,
        state: RunState,
        plan: Plan,
        runbook: Runbook,
        beginning: Beginning,
        observer: Observer,
        secrecy: LocalSecrecy | None,
    ) -> Outcome:
        folder = self._config.run_folder(state.record.id)
        refuse_older_journal(folder, state.record)
        (folder / STOP).unlink(missing_ok=True)
        mark(secrecy)
        hands = take_hands()
        session = Session(
            self._config, self._journal, self._clock, state, plan, runbook, observer, beginning, hands, secrecy
        )
        observer.began(state, plan, runbook)
        with Signals() as signals:
            outcome = Runner(session, observer, signals).drive()
        return self._ended(outcome, session, observer)

    def _ended(self, outcome: Outcome, session: Session, observer: Observer) -> Outcome:
        if outcome.status in ENDED:
            forget_files(session.secrecy, session.ledger.state)
        if outcome.status == "succeeded":
            remove_folder(session.run_folder / "work")
            destroy_seals(self._journal, self._clock, session.secrecy, session.ledger.state)
        observer.ended(outcome)
        return outcome

    def _settle_open(
        self, state: RunState, runbook: Runbook, request: ResumeRequest, observer: Observer
    ) -> Outcome | None:
        """Before a change: settle the attempts that are open, under the definition that they ran under.

        Once the change is recorded, nobody could tell any more what theirs was. Gives how the run ended, if it did
        with them, or the operator left.
        """
        if not state.record.counts.get("running"):
            return None
        plan = make_plan(runbook, state.created.inputs, state.created.surroundings["env"], request.run_id)
        beginning, hands = Beginning("resume", request.by), take_hands()
        with self._secrecy(state, runbook) as secrecy:
            if secrecy is not None:
                secrecy.recall(state)
            session = Session(
                self._config, self._journal, self._clock, state, plan, runbook, observer, beginning, hands, secrecy
            )
            observer.began(state, plan, runbook)
            with Signals() as signals:
                signals.drain("what ran is settled before the runbook is changed")
                outcome = Runner(session, observer, signals).drive()
                left = signals.wish == "leave"
            if left or outcome.status in FINAL:
                return self._ended(outcome, session, observer)
        if outcome.status == "interrupted":
            session.hands.close()
        return None

    def _drive_if_free(self, run_id: str, begin: Callable[[RunState], Beginning], observer: Observer) -> Outcome:
        """Carry a recorded request out, unless another process drives the run: then that one does."""
        lock = RunLock(self._config.run_lock(run_id), self._clock)
        self._make_folder(run_id)
        try:
            lock.acquire()
        except Busy:
            record = self._journal.record(run_id)
            return Outcome(run_id, record.status, 0, driver="other", holder=lock.holder() or {})
        try:
            state = read_state(self._journal, run_id)
            if state.record.status in FINAL:
                return Outcome(run_id, state.record.status, 0)  # somebody else has just brought it to its end
            runbook = stored_runbook(state)
            plan = make_plan(runbook, state.created.inputs, state.created.surroundings["env"], run_id)
            with telling_holder(self._config, self._journal), self._secrecy(state, runbook) as secrecy:
                if secrecy is not None:
                    secrecy.recall_if_possible(state)
                return self._drive(state, plan, runbook, begin(state), observer, secrecy)
        finally:
            lock.release()

    # -- pieces -----------------------------------------------------------------------------------------------

    def _changed(self, state: RunState, old: Runbook, source: Source, by: Mapping[str, Json]) -> RunbookChanged:
        new = source.runbook
        changes = changes_of(old, new, state)
        changes += [f"~ {name}: helper file changed" for name in changed_files(state.created.files, Path(source.place))]
        # A folder of its own: until the change is recorded, the run goes on with the files that it had.
        folder = f"{FOLDER}-{state.record.sessions + 1}"
        then = state.created.surroundings["env"]
        env = {name: os.environ[name] for name in new.env_names if name not in then and name in os.environ}
        known = state.created.inputs
        before = make_plan(old, known, then, state.record.id)
        after = make_plan(new, known, {**then, **env}, state.record.id)
        return RunbookChanged(
            digest=new.digest,
            text=new.text,
            file=source.file,
            place=source.place,
            changes=changes,
            tasks=tasks_added(before, after, state),
            by=by,
            files=self._copy_anew(state.record.id, source, folder) if new.files else {},
            env=env,
            files_folder=folder,
            steps=after.all_leaves(after.roots),
            finally_steps=after.all_leaves(after.finals),
        )

    def _copy_anew(self, run_id: str, source: Source, folder: str) -> dict[str, Json]:
        """Copy the helper files into a folder that an earlier try may have left behind, half full."""
        run_folder = self._config.run_folder(run_id)
        remove_folder(run_folder / folder)
        return copy_files(source.runbook.files, Path(source.place), run_folder, folder)

    def _say_what_differs(self, state: RunState, observer: Observer) -> None:
        """The copy of the start is what runs; an operator who edited a file should know."""
        for name in changed_files(state.created.files, Path(state.created.place)):
            copy = f"{state.created.files_folder}/{name}"
            observer.said(f"{name} differs from the copy of the start, which is used ({copy} in the run's folder)")

    def _make_folder(self, run_id: str, *, new: bool = False) -> Path:
        """The run's folder, made if it is missing; the one for its attempts only for a `new` run."""
        folder = self._config.run_folder(run_id)
        try:
            if not folder.is_dir():
                folder.parent.mkdir(mode=0o700, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
            if new:
                make_attempts(folder)
        except OSError as error:
            raise StorageFailed(f"{folder}: {error.strerror}", "make room, then try again") from error
        return folder

    def _forget_unborn(self, run_id: str, folder: Path) -> None:
        """Remove the folder of a run that never came into the journal; where that can't be told, it stays."""
        try:
            self._journal.head(run_id)
        except NoSuchRun:
            remove_folder(folder)
        except DurunError:
            return


def _left(state: RunState, plan: Plan, runbook: Runbook, observer: Observer) -> Outcome:
    """A run that is parked before anybody has driven it."""
    observer.began(state, plan, runbook)
    status = state.record.status
    outcome = Outcome(state.record.id, status, exit_code_of(status, state.tasks), state)
    observer.ended(outcome)
    return outcome


def _new_id() -> str:
    """Ten characters that can't be mistaken for each other, the first a letter: 2^49 ids."""
    letters = _ALPHABET[8:]
    first, *rest = os.urandom(_ID_LENGTH)
    return letters[first % len(letters)] + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in rest)


def _lives(pid: int, state: RunState, key: TaskKey) -> bool:
    """Whether a process of the task lives; of another boot or pid namespace, its number is somebody else's by now."""
    attempt = state.tasks[key].attempt
    then = state.sessions[attempt.session] if attempt is not None else None
    if then is not None and (then.boot_id, then.pid_namespace) != (boot_id(), pid_namespace()):
        return False
    return exists(pid)
