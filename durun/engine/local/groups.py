"""Who holds a concurrency group: the run, and the process that drives it now, if any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from durun.config import Config
from durun.errors import GroupHeld
from durun.journal.api import Journal
from durun.journal.claim import RunLock, who
from durun.journal.lookup import group_held
from durun.model.status import DRIVEN


@contextmanager
def telling_holder(config: Config, journal: Journal) -> Iterator[None]:
    """Complete a GroupHeld that is raised inside: the journal alone can't tell whether its holder is at work."""
    try:
        yield
    except GroupHeld as held:
        record = journal.record(held.holder)
        if not record.holds_group:  # it has let go meanwhile
            raise
        driver = RunLock(config.run_lock(record.id)).holder()
        status = "interrupted" if driver is None and record.status in DRIVEN else record.status
        raise group_held(record, status, "" if driver is None else who(driver)) from held
