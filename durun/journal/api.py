"""The seam of the journal: what every implementation promises.

The contract suite is `tests/contract/test_journal.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from durun.errors import DurunError
from durun.journal.chain import Link
from durun.journal.register import Entry, Signer
from durun.model.event import Event, Stamped
from durun.model.status import RunStatus
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.tuples import NamedTuple


class SequenceConflict(DurunError):
    """Somebody else appended first: read what is new, and decide again."""

    code = "sequence_conflict"
    exit_code = 11


class RunQuery(NamedTuple):
    """Which runs to list, newest first. `since` is seconds since the epoch; None: no such filter."""

    statuses: Collection[RunStatus] | None = None
    runbook: str | None = None
    since: float | None = None
    request_id: str | None = None
    inputs_digest: str | None = None
    uid: int | None = None
    limit: int | None = None


class Journal(Protocol):
    """An append-only list of events per run, with the state of runs and tasks folded from it.

    Every call sees what was committed before it, by any process.
    """

    def append(
        self, run_id: str, expected: int, events: Sequence[Event], at: float, unless: RunQuery | None = None
    ) -> int:
        """Append `events` in one durable transaction and return the number of the last one.

        `expected` is the number of the newest event that the caller knows; 0 for a new run, whose first
        event is `RunCreated`. `at` is the time of the events (seconds since the epoch). `unless`: nothing is
        appended if there is a run that matches.
        Raises SequenceConflict, GroupHeld (the run would hold a concurrency group that another one holds; in both
        cases nothing was written), Busy (the write mutex could not be had in 10 s),
        StorageFailed (nothing may be assumed: reopen and read).
        """

    def one_moment(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment, whatever others append meanwhile. Nothing may be written inside."""

    def head(self, run_id: str) -> int:
        """The number of the newest event. Raises NoSuchRun."""

    def record(self, run_id: str) -> RunRecord:
        """The run. Raises NoSuchRun."""

    def tasks(self, run_id: str) -> dict[TaskKey, TaskState]:
        """Every task that anything has happened to. Raises NoSuchRun."""

    def events(self, run_id: str, after: int = 0, types: Collection[str] | None = None) -> list[Stamped]:
        """The events after number `after`, in order; only these stored types if given. Raises NoSuchRun."""

    def runs(self, query: RunQuery) -> list[RunRecord]:
        """The runs that match, newest first."""

    def notable(self, run_ids: Collection[str]) -> dict[str, list[tuple[TaskKey, TaskState]]]:
        """Of each run, of its tasks that failed, are in doubt, wait or run: of each step the first to become so.

        Oldest change first; runs without such tasks are left out. It costs what the tasks of these runs cost.
        """

    def group_holder(self, group: str) -> RunRecord | None:
        """The run that holds this concurrency group now: there is never more than one."""

    def find(self, reference: str, uid: int | None = None) -> str:
        """The whole id for an id, a unique prefix of one, or `@last` (the newest run of `uid`).

        Raises NoSuchRun, naming near matches or the candidates.
        """

    def check(self, run_id: str, structure: bool = True) -> None:
        """Prove the chain of hashes, and that the events fold to the projections. Raises JournalDamaged.

        `structure`: look at the whole file as such, too.
        """

    def examine(self) -> None:
        """Prove that the journal as such is whole, whatever is in it. Raises JournalDamaged."""

    def links(self, run_id: str) -> list[Link]:
        """The events as they are stored, in order. Raises NoSuchRun."""

    def entries(self, run_id: str | None = None, after: int = 0) -> list[Entry]:
        """The entries of the register after number `after`, in order; only those about this run, if one is given."""

    def sign_with(self, signer: Signer) -> None:
        """Whatever is entered from now on is signed in the same transaction."""

    def sign(self) -> None:
        """Sign the newest entry of the register, if it is not; nothing without a signer. Raises StorageFailed."""

    @property
    def unsigned(self) -> bool:
        """Whether this process has made an entry that no signature covers yet."""

    def prune(self, run_id: str, at: float) -> None:
        """Remove a run with all its events; the register keeps its head.

        Raises NoSuchRun, NotAllowed (it has not ended for good), StorageFailed.
        """

    def close(self) -> None:
        """Let go of the file. Nothing else may be called afterwards."""
