"""Reading the whole state of a run, of one moment, while others may be writing."""

from __future__ import annotations

from durun.errors import JournalDamaged
from durun.journal.api import Journal
from durun.model.clock import Clock
from durun.model.event import RunCreated
from durun.model.state import LANDMARKS, RunState
from durun.model.task import RunRecord


def read_state(journal: Journal, run_id: str) -> RunState:
    """The state of a run as the journal has it, all of it at one event. Raises NoSuchRun."""
    with journal.one_moment():
        record = journal.record(run_id)
        return RunState.from_projection(record, journal.tasks(run_id), journal.events(run_id, types=LANDMARKS))


def read_created(journal: Journal, run_id: str) -> RunCreated:
    """What a run was asked for, under its newest runbook: much less to read than its state. Raises NoSuchRun."""
    asked = journal.events(run_id, types=("run_created", "runbook_changed", "plugins_changed"))
    return RunState.from_projection(journal.record(run_id), {}, asked).created


def refuse_older(record: RunRecord, made: int) -> None:
    """Raise JournalDamaged if a run has made more attempts than its record knows of: an old copy was put back.

    What it does not know to be done would be done again.
    """
    if made > record.folders:
        raise JournalDamaged(
            f"run {record.id} has made {made} attempts and probes, and the journal knows of {record.folders}: "
            "it is an older copy",
            "nothing was started or changed: restore the newest copy of the journal",
        )


def moment(journal: Journal, clock: Clock, record: RunRecord) -> float:
    """The time, but never before the run's newest event, nor before what has passed since its clock was last read.

    So nothing gets more time because a clock was set back.
    """
    newest = journal.events(record.id, after=record.sequence - 1)
    return max([clock.now(), clock.least(record.id), *(stamped.at for stamped in newest)])
