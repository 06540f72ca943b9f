"""`durun logs`: what steps wrote, as it was, or harmless where a terminal would obey it."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from durun.app import App, open_app
from durun.cli.arguments import Argument, JsonOption, Option, RunArgument, TargetOption
from durun.cli.chosen import choose_tasks
from durun.cli.pick import find_run
from durun.cli.probes import newest_probes
from durun.cli.screen import note
from durun.engine.local.logs import LogRecord, read_log_from
from durun.engine.local.names import attempt_folder, log_path
from durun.errors import UsageError, told
from durun.model.event import ProbeStarted
from durun.model.status import DRIVEN
from durun.model.task import Attempt, TaskKey, TaskState
from durun.model.tuples import NamedTuple
from durun.views.logs import JsonLogs, LogText, LogView
from durun.views.text import local_time

_POLL = 0.25
"""Seconds between two looks with `-f`."""


VERIFY = "@verify"
"""What stands behind a step's id where its verify's output is shown."""


class Tail(NamedTuple):
    """One attempt whose output is read."""

    key: TaskKey
    attempt: Attempt
    path: Path


def command(
    run: RunArgument,
    step: Annotated[str | None, Argument(metavar="[STEP]", help="Only this step.")] = None,
    target: TargetOption = None,
    attempt: Annotated[int | None, Option(metavar="N", least=1, help="This attempt instead of the newest.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on until the run ends or parks.")] = False,
    times: Annotated[
        bool, Option("--times", help="Begin each line with day and time of when it was written, in a pipe too.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Print what steps wrote: in a pipe as it was, on a terminal with times and nothing that it would obey."""
    with open_app(read_only=True) as app:
        run_id = find_run(app, run)
        reader = Reader(app, run_id, step, target, attempt)
        if not follow:
            reader.require()
        several = len(reader.tails) > 1 or (follow and step is None)
        today = local_time(app.clock.now())[:10]
        view: LogView = JsonLogs(sys.stdout, run_id) if as_json else LogText(sys.stdout, several, times, today)
        while True:
            live = follow and _goes_on(app, run_id, reader)
            for tail, records in reader.news():
                for record in records:
                    view.record(tail.key, tail.attempt.number, record)
                if not records:
                    view.ended(tail.key)
            view.flush()
            if not live:
                break
            select.select([], [], [], _POLL)
            reader.look()
        view.close()
        if not reader.offsets and not as_json:
            note("nothing was written")
    return 0


def _goes_on(app: App, run_id: str, reader: Reader) -> bool:
    """Whether there may be more to read. On a terminal somebody is there who may resume a run that was interrupted."""
    status = app.status(app.journal.record(run_id))
    if status != "interrupted" or not sys.stdout.isatty():
        return status in DRIVEN
    if not reader.told:
        reader.told = True
        how = f"durun resume {run_id} elsewhere goes on with it; Ctrl-C ends this"
        sys.stderr.write(told("nobody drives the run any more; what is written comes all the same", how))
    return True


class Reader:
    """The logs of the chosen tasks, and how far each of them is read."""

    def __init__(self, app: App, run_id: str, step: str | None, target: str | None, number: int | None) -> None:
        self._app = app
        self._run_id = run_id
        self._choice = (step, target, number)
        self._head = -1
        self._since: dict[TaskKey, int] = {}
        self._done: set[Path] = set()
        self.offsets: dict[Path, int] = {}
        self.tails: list[Tail] = []
        self.told = False
        self._probes: dict[TaskKey, tuple[float, ProbeStarted]] | None = None
        self.look()

    def look(self) -> None:
        """See which attempts there are now; asks the journal only if something happened."""
        head = self._app.journal.head(self._run_id)
        if head == self._head:
            return
        first, self._head = self._head < 0, head
        step, target, number = self._choice
        tails: list[Tail] = []
        for key, task in self._app.journal.tasks(self._run_id).items():
            if step in (None, key.step) and target in (None, key.target):
                chosen = task.attempts[number - 1 : number] if number is not None else self._newest(key, task, first)
                read = [(key, one) for one in chosen]
                if number is None and (not task.attempts or task.status == "in_doubt" or task.code == "verify"):
                    read += self._asked(key, task)
                tails += (self._tail(name, one) for name, one in read if one.folder)
        self._probes = None
        self.tails = sorted(tails, key=lambda tail: tail.attempt.folder)

    def _tail(self, name: TaskKey, attempt: Attempt) -> Tail:
        folder = attempt_folder(self._app.config.run_folder(self._run_id), attempt.folder)
        return Tail(name, attempt, Path(log_path(folder)))

    def _newest(self, key: TaskKey, task: TaskState, first: bool) -> Sequence[Attempt]:
        """The newest attempt, and those that came since the first look: none that is followed is lost to a retry."""
        begun = len(task.attempts)
        since = self._since.setdefault(key, max(begun, 1) if first else 1)
        return task.attempts[since - 1 :] if begun else ()

    def _asked(self, key: TaskKey, task: TaskState) -> list[tuple[TaskKey, Attempt]]:
        """The newest question about a task, as if it were an attempt: for its targets, a poll's, its verify's.

        That of a verify has a name of its own, for it is another command than the step's.
        """
        if self._probes is None:
            self._probes = newest_probes(self._app, self._run_id)
        if key not in self._probes:
            return []
        at, event = self._probes[key]
        if event.purpose == "targets" and task.status != "failed":
            return []  # only where there are none is it told what was to list them
        at_work = task.probe is not None or task.status == "waiting"
        asked = Attempt(1, event.folder, "", event.session, at, "", "", status="running" if at_work else "succeeded")
        own = event.purpose in ("poll", "targets")
        return [(key if own else key._replace(step=f"{key.step}{VERIFY}"), asked)]

    def require(self) -> None:
        """Raise UsageError if there is no such step, target or attempt."""
        step, target, number = self._choice
        if self.tails or (step is None and target is None and number is None):
            return
        tasks = choose_tasks(self._app.state(self._run_id), step, target)
        most = max((len(task.attempts) for task in tasks.values()), default=0)
        if number is not None and most:
            raise UsageError(f"there is no attempt {number}", f"the newest is attempt {most}")

    def news(self) -> Iterator[tuple[Tail, Sequence[LogRecord]]]:
        """What was written since the last time, attempt by attempt, in pieces of some MiB; nothing once it is all."""
        for tail in self.tails:
            if tail.path in self._done:
                continue
            offset = self.offsets.get(tail.path, 0)
            while True:
                records, after = read_log_from(tail.path, offset)
                if records:
                    yield tail, records
                if after == offset:
                    break
                offset = self.offsets[tail.path] = after
            if tail.attempt.status != "running":
                self._done.add(tail.path)
                yield tail, ()
