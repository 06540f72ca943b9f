"""`durun logs`: what steps wrote, as it was, or harmless where a terminal would obey it."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from durun.app import App, open_app
from durun.cli.arguments import Argument, JsonOption, Option, RunArgument, TargetOption
from durun.cli.chosen import choose_tasks
from durun.cli.pick import find_run
from durun.engine.local.folder import attempt_folder, log_path
from durun.engine.local.logs import LogRecord, read_log_from
from durun.errors import UsageError
from durun.model.event import ProbeStarted, key_of
from durun.model.status import DRIVEN
from durun.model.task import Attempt, TaskKey
from durun.views.logs import JsonLogs, LogText, LogView

_POLL = 0.25
"""Seconds between two looks with `-f`."""


class Tail(NamedTuple):
    """One attempt whose output is read."""

    key: TaskKey
    attempt: Attempt
    path: Path


def command(
    run: RunArgument,
    step: Annotated[str | None, Argument(metavar="[STEP]", help="Only this step.")] = None,
    target: TargetOption = None,
    attempt: Annotated[int | None, Option(least=1, help="This attempt instead of the newest.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on until the run ends or parks.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Print what steps wrote: in a pipe as it was, on a terminal with times and nothing that it would obey."""
    with open_app(read_only=True) as app:
        run_id = find_run(app, run)
        reader = Reader(app, run_id, step, target, attempt)
        if not follow:
            reader.require()
        several = len(reader.tails) > 1 or (follow and step is None)
        view: LogView = JsonLogs(sys.stdout, run_id) if as_json else LogText(sys.stdout, labelled=several)
        while True:
            live = follow and app.status(app.journal.record(run_id)) in DRIVEN
            for tail, record in reader.news():
                view.record(tail.key, tail.attempt.number, record)
            view.flush()
            if not live:
                break
            select.select([], [], [], _POLL)
            reader.look()
        view.close()
    return 0


class Reader:
    """The logs of the chosen tasks, and how far each of them is read."""

    def __init__(self, app: App, run_id: str, step: str | None, target: str | None, number: int | None) -> None:
        self._app = app
        self._run_id = run_id
        self._choice = (step, target, number)
        self._head = -1
        self._offsets: dict[Path, int] = {}
        self._done: set[Path] = set()
        self.tails: list[Tail] = []
        self.look()

    def look(self) -> None:
        """See which attempts there are now; asks the journal only if something happened."""
        head = self._app.journal.head(self._run_id)
        if head == self._head:
            return
        self._head = head
        step, target, number = self._choice
        folder = self._app.config.run_folder(self._run_id)
        tails: list[Tail] = []
        polls: dict[TaskKey, Attempt] = {}
        for key, task in self._app.journal.tasks(self._run_id).items():
            if step in (None, key.step) and target in (None, key.target):
                chosen = task.attempts[-1:] if number is None else task.attempts[number - 1 : number]
                if not task.attempts and number is None:
                    polls = polls or self._polls()
                    chosen = [one for one in [polls.get(key)] if one is not None]
                tails += [
                    Tail(key, one, Path(log_path(attempt_folder(folder, one.folder)))) for one in chosen if one.folder
                ]
        self.tails = sorted(tails, key=lambda tail: tail.attempt.folder)

    def _polls(self) -> dict[TaskKey, Attempt]:
        """The newest question of each `wait_for`, as if it were an attempt: they all use one folder."""
        found = {}
        for _, at, event in self._app.journal.events(self._run_id, types=("probe_started",)):
            if isinstance(event, ProbeStarted) and event.purpose == "poll":
                key = key_of(event)
                found[key] = Attempt(1, event.folder, "", event.session, at, "", "", status="succeeded")
        return found

    def require(self) -> None:
        """Raise UsageError if there is no such step, target or attempt."""
        step, target, number = self._choice
        if self.tails or (step is None and target is None and number is None):
            return
        tasks = choose_tasks(self._app.state(self._run_id), step, target)
        most = max((len(task.attempts) for task in tasks.values()), default=0)
        if number is not None and most:
            raise UsageError(f"there is no attempt {number}", f"the newest is attempt {most}")

    def news(self) -> Iterator[tuple[Tail, LogRecord]]:
        """What was written since the last time, attempt by attempt."""
        for tail in self.tails:
            if tail.path in self._done:
                continue
            offset = self._offsets.get(tail.path, 0)
            while True:
                records, after = read_log_from(tail.path, offset)
                yield from ((tail, record) for record in records)
                if after == offset:
                    break
                offset = self._offsets[tail.path] = after
            if tail.attempt.status != "running":
                self._done.add(tail.path)
