"""The process that tells what is still to be told of one run.

    python -m durun.engine.local.notifier HOME RUN

At least once: what it was killed over is told again, under the same key. Each notifier is asked once and gets half a
minute; if it does not succeed, that is recorded, and a later process asks it again (`durun.engine.notices.AGAIN`).
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from durun.config import Config, load_config
from durun.engine.local.discretion import close, open_secrecy
from durun.engine.local.marks import mark_notice, mark_told, notice_of
from durun.engine.local.messenger import Messenger
from durun.engine.local.scope import enter_scope
from durun.engine.local.signing import Signing
from durun.engine.notices import Unsent, later, unsent_of
from durun.engine.requests import append_newest
from durun.engine.secrecy import NO_SECRETS
from durun.engine.stored import stored_runbook
from durun.errors import DurunError, NoSuchRun
from durun.journal.api import Journal
from durun.journal.reading import read_state
from durun.journal.sqlite import open_journal
from durun.model.clock import Clock, SystemClock
from durun.model.event import Notified


def main(home: str, run_id: str) -> None:
    """Tell what is due of a run, unless another process is just doing it."""
    enter_scope(f"durun-notify-{run_id}")
    config, clock = load_config({**os.environ, "DURUN_HOME": home}), SystemClock()
    with _alone(notice_of(config.home, run_id)) as alone:
        if not alone:
            return
        journal = open_journal(config.journal_path, clock=clock)
        try:
            Notifier(config, journal, clock, run_id).tell_all()
        finally:
            journal.close()


class Notifier:
    """Tells of one run. Whoever calls it is the only one that does."""

    def __init__(self, config: Config, journal: Journal, clock: Clock, run_id: str) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock
        self._run_id = run_id

    def tell_all(self) -> None:
        """Tell what is due, one after the other; then the mark says when it is to be tried again, or is taken away."""
        home, asked = self._config.home, set[str]()
        try:
            while left := [one for one in self._unsent() if one.key not in asked]:
                for one in left:
                    self._tell(one)
                    asked.add(one.key)
        except NoSuchRun:
            mark_told(home, self._run_id, None)
            return
        self._sign()
        wait = later(self._unsent())
        mark_told(home, self._run_id, None if wait is None else self._clock.now() + wait)
        if any(one.key not in asked for one in self._unsent()):  # somebody was just then to be told
            mark_notice(home, self._run_id)

    def _unsent(self) -> list[Unsent]:
        return unsent_of(self._journal, self._run_id)

    def _tell(self, one: Unsent) -> None:
        # On a disk that is full nobody is told: it could not be recorded, and would be told again and again.
        notice_of(self._config.home, self._run_id).write_text(one.key)
        reason = self._ask(one)
        event = Notified(key=one.due.key, notifier=one.notifier, ok=not reason, reason=reason)
        append_newest(self._journal, self._clock, self._run_id, lambda _: event)

    def _ask(self, one: Unsent) -> str:
        """Have it told; why it was not, or nothing."""
        state = read_state(self._journal, self._run_id)
        secrecy = None
        try:
            runbook = stored_runbook(state)
            secrecy = open_secrecy(self._config, self._run_id, state.created.place, runbook)
            if secrecy is not None:
                secrecy.recall_if_possible(state)
            folder = self._config.run_folder(self._run_id)
            entries = self._journal.entries(self._run_id)
            head = entries[-1].digest if entries else ""
            messenger = Messenger(state, runbook, folder, self._clock, secrecy or NO_SECRETS, head)
            return messenger.send(one)
        except DurunError as error:
            return secrecy.scrub(error.message) if secrecy is not None else error.message
        finally:
            close(secrecy)

    def _sign(self) -> None:
        with suppress(DurunError):
            signing = Signing(self._config, self._journal)
            signing.begin()
            signing.sign()


@contextmanager
def _alone(mark: Path) -> Iterator[bool]:
    """Whether nobody else tells of this run now; as long as it lasts nobody else will."""
    try:
        descriptor = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
