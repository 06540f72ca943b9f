"""Puts config, journal and engine together. What a command doesn't need is not loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from durun.config import Config, check_seconds, load_config
from durun.engine.local.elapsed import LocalClock
from durun.journal.api import Journal
from durun.journal.claim import RunLock
from durun.journal.reading import moment, read_created, read_state
from durun.journal.sqlite import open_journal
from durun.model.clock import Clock
from durun.model.event import RunCreated
from durun.model.people import conclusion
from durun.model.state import RunState
from durun.model.status import DRIVEN, RunStatus
from durun.model.task import RunRecord, Waiting
from durun.model.tuples import NamedTuple
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.engine.api import Engine
    from durun.model.runbook import Runbook


class App(NamedTuple):
    """An opened state directory."""

    config: Config
    journal: Journal
    clock: Clock

    def engine(self) -> Engine:
        """The engine that drives runs here."""
        from durun.engine.local.engine import LocalEngine

        return LocalEngine(self.config, self.journal, self.clock)

    def fingerprints(self, values: Mapping[str, Json]) -> dict[str, str]:
        """A keyed digest of each of these secret values. Raises StorageFailed."""
        if not values:
            return {}
        from durun.engine.local.surroundings import fingerprint, fingerprint_key

        key = fingerprint_key(self.config.home)
        return {name: fingerprint(key, value) for name, value in values.items()}

    def tidy(self) -> None:
        """Finish what processes that were killed at the end of a run have left, and try what could not be done then."""
        from durun.engine.local.marks import NOTICES, marked

        for run_id in marked(self.config.home, NOTICES):
            from durun.engine.local.outgoing import tell_about

            tell_about(self.config.home, run_id, self.clock.now())
        if marked(self.config.home):
            from durun.engine.local.discretion import finish_destroying

            finish_destroying(self.config, self.journal, self.clock)
        if self.config.stamps_folder.is_dir():
            from durun.engine.local.outgoing import stamp_again

            stamp_again(self.config, self.journal, self.clock.now())

    def runbook(self, state: RunState) -> Runbook:
        """The runbook that a run is under."""
        from durun.engine.stored import stored_runbook

        return stored_runbook(state)

    def keep_attachments(self, run_id: str, paths: Sequence[str]) -> list[Json]:
        """Keep a copy of each file in the run's folder, and say what it is. Raises UsageError, StorageFailed."""
        from durun.engine.local.attachments import keep

        return keep(self.config.run_folder(run_id), paths)

    def hear(self, run_id: str) -> None:
        """Take in what other users of the machine have answered about the run. Raises StorageFailed."""
        from durun.engine.local.sharing import others_of

        if (others := others_of(self.config, run_id, self.journal, self.clock)) is not None:
            others.visit()

    def holder(self, run_id: str) -> dict[str, Json] | None:
        """The process that drives the run now: `{"pid", "host", "since"}`, or None."""
        return RunLock(self.config.run_lock(run_id)).holder()

    def status(self, record: RunRecord) -> RunStatus:
        """Where the run stands: what the journal says, but `interrupted` if it should be driven and nobody does."""
        if record.status in DRIVEN and self.holder(record.id) is None:
            return "interrupted"
        return record.status

    def head(self, run_id: str) -> str:
        """The digest of the register's newest entry about the run; empty if it is older than the register."""
        entries = self.journal.entries(run_id)
        return entries[-1].digest if entries else ""

    def can_go_on(self, record: RunRecord) -> bool:
        """Whether a resume needs nobody's word: it was interrupted, doubts are settled, a time or group is there."""
        if record.status == "waiting" and not record.sessions:
            return self.journal.group_holder(record.concurrency_group or "") is None
        if record.status == "waiting":
            self.hear(record.id)
            # What a `finally` of an earlier round waited for, nobody waits for any more.
            round_ = record.round if record.final_status is not None else 0
            waits = [t.waiting for k, t in self.journal.tasks(record.id).items() if t.waiting and k.round == round_]
            now = moment(self.journal, self.clock, record)
            return any(_is_over(wait, now) for wait in waits)
        settled = record.status == "in_doubt" and not record.counts.get("in_doubt")
        return settled or self.status(record) == "interrupted"

    def state(self, run_id: str) -> RunState:
        """The whole state of a run. Raises NoSuchRun."""
        return read_state(self.journal, run_id)

    def created(self, run_id: str) -> RunCreated:
        """What a run was asked for, under its newest runbook. Raises NoSuchRun."""
        return read_created(self.journal, run_id)


def _is_over(wait: Waiting, now: float) -> bool:
    """Whether a time has come, or people have said what there is to say."""
    if wait.asked is not None:
        return conclusion(wait, now) is not None
    return wait.due is not None and wait.due <= now


@contextmanager
def open_app(read_only: bool = False) -> Iterator[App]:
    """The state directory of this user, by the environment; closed at the end.

    Read-only, nothing is made. Raises Unsafe, JournalDamaged, StorageFailed; UsageError for a variable of the
    environment with which nothing can be done but looking.
    """
    if not read_only:
        check_seconds(os.environ)
    config = load_config(os.environ)
    clock = LocalClock(config.run_folder)
    journal = open_journal(config.journal_path, read_only=read_only, clock=clock)
    try:
        yield App(config, journal, clock)
        if journal.unsigned:
            _sign(config, journal)
    finally:
        journal.close()


def _sign(config: Config, journal: Journal) -> None:
    """Sign what a command has entered without driving a run. Where that can't be done, `durun doctor` says why."""
    from durun.engine.local.signing import Signing

    signing = Signing(config, journal)
    signing.begin()
    signing.sign()
