"""What a command does about a concurrency group that another run holds."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable

from durun.app import App
from durun.cli.drive import Manner
from durun.engine.api import Observer, Outcome
from durun.engine.local.signals import Signals
from durun.errors import GroupHeld
from durun.views.json import SCHEMA, dump

_PATIENCE = 1.0
"""Seconds between two looks at who holds the group."""


def when_free(app: App, work: Callable[[Observer], Outcome], observer: Observer) -> Outcome:
    """Do `work` as soon as no other run holds its group. Whoever holds it is named once.

    Raises SystemExit with the exit code of the signal that ended the wait.
    """
    named = ""
    while True:
        try:
            return work(observer)
        except GroupHeld as held:
            if held.holder != named:
                named = held.holder
                observer.said(f"waiting: {held.message}; {held.hint}")
            with Signals() as signals:
                _wait(app, held, observer, signals)
            if signals.wish != "go_on":
                observer.said("it is waited for no more, and nothing was started")
                raise SystemExit(signals.exit_code) from None


def _wait(app: App, held: GroupHeld, observer: Observer, signals: Signals) -> None:
    while (holder := app.journal.group_holder(held.group)) is not None and holder.id == held.holder:
        select.select([signals], [], [], _PATIENCE)
        if signals.wish != "go_on":
            return
        observer.tick(app.clock.now())


def skipped(held: GroupHeld, manner: Manner) -> int:
    """Nothing is started, and that is well so: a program is told, and who sits at a terminal; cron is not."""
    if manner.as_json:
        line = {"schema": SCHEMA, "event": "run_skipped", "concurrency_group": held.group, "holder": held.holder}
        sys.stdout.write(dump({**line, "exit_code": 0}))
    elif sys.stdout.isatty() and not manner.quiet:
        sys.stdout.write(f"skipped: {held.message}\n")
    return 0
