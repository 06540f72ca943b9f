"""Removes runs that are over and old. The register keeps the head of each, so that the chain can be proved on."""

from __future__ import annotations

from pathlib import Path

from durun.config import Config
from durun.engine.local.files import remove_folder
from durun.engine.local.marks import mark_of
from durun.errors import StorageFailed
from durun.journal.api import Journal, RunQuery
from durun.journal.claim import RunLock
from durun.journal.register import PRUNED
from durun.model.clock import Clock
from durun.model.status import FINAL
from durun.model.task import RunRecord


def prunable(journal: Journal, before: float) -> list[RunRecord]:
    """The runs that ended for good before that time (seconds since the epoch), oldest first.

    None that has privileges open: `durun reap` closes them, and then it goes the next time.
    """
    found = [record for record in reversed(journal.runs(RunQuery(statuses=FINAL))) if not record.privileged]
    return [record for record in found if record.ended_at is not None and record.ended_at < before]


def prune(config: Config, journal: Journal, clock: Clock, run_id: str) -> str:
    """Remove a run: first from the journal, then its folder. Gives the digest of the entry that stays.

    Raises NotAllowed (it may go on), Busy (a process still tidies up behind it), NoSuchRun, StorageFailed.
    """
    folder = config.run_folder(run_id)
    if folder.is_dir():
        with RunLock(config.run_lock(run_id), clock):
            journal.prune(run_id, clock.now())
            _forget(config, run_id)
    else:
        journal.prune(run_id, clock.now())
    return journal.entries(run_id)[-1].digest


def forget_left_over(config: Config, journal: Journal) -> None:
    """Remove the folders of runs that are pruned already: a process was killed before it did so itself."""
    runs = config.runs_folder
    there = {record.id for record in journal.runs(RunQuery())}
    for folder in runs.iterdir() if runs.is_dir() else ():
        entries = [] if folder.name in there else journal.entries(folder.name)
        if entries and entries[-1].kind == PRUNED:
            _forget(config, folder.name)


def _forget(config: Config, run_id: str) -> None:
    folder: Path = config.run_folder(run_id)
    remove_folder(folder)
    mark_of(config.home, run_id).unlink(missing_ok=True)
    if folder.exists():
        raise StorageFailed(f"{folder} can't be removed", "see to its permissions, then prune again")
