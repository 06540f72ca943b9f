"""Driving a run from a command: a view is chosen, the engine works, the view has the last word."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from durun.app import App
from durun.cli.exit_codes import LEFT, standing_code
from durun.cli.screen import exit_code_of, show_error
from durun.engine.api import Observer, Outcome
from durun.errors import Busy, DurunError, GroupHeld
from durun.model.state import RunState
from durun.model.task import RunRecord, TaskKey
from durun.model.tuples import NamedTuple
from durun.secrets.known import scrub
from durun.views.channel import Channel
from durun.views.json_lines import JsonLines
from durun.views.observer import View
from durun.views.plain import PlainView


class Manner(NamedTuple):
    """How a command tells what it does: to a program, or to a person, who may want to hear of trouble only."""

    as_json: bool = False
    quiet: bool = False

    @property
    def chatty(self) -> bool:
        """Whether a person is told by the way."""
        return not (self.as_json or self.quiet)


def choose_view(app: App, manner: Manner) -> View:
    """JSON lines, a live picture on a terminal that can show one, else plain lines."""
    as_json, quiet = manner
    descriptor = sys.stdout.fileno()
    encoding = sys.stdout.encoding or "utf-8"
    if as_json:
        from durun.views.backlog import SpooledBacklog

        return JsonLines(Channel(descriptor, "utf-8", SpooledBacklog(app.config.home), scrub), app.clock)
    channel = Channel(descriptor, encoding, scrub=scrub)
    words = partial(_last_words, app)
    if quiet or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb") or not _has_marks(encoding):
        return PlainView(channel, quiet, words)
    from durun.views.live import LiveView

    return LiveView(channel, descriptor, words)


def _last_words(app: App, state: RunState) -> Mapping[TaskKey, str]:
    """What the steps that did not go well said last; loaded only where there is such a one."""
    from durun.cli.last_words import last_words

    try:
        return last_words(app, state.record.id, state.tasks.items())
    except (DurunError, OSError):
        return {}  # how the run ended is told all the same


def _has_marks(encoding: str) -> bool:
    """Whether the characters of a picture are there in the terminal's encoding."""
    try:
        return bool("✔━".encode(encoding))
    except UnicodeError:
        return False


def drive(view: View, work: Callable[[Observer], Outcome]) -> int:
    """Let the engine work while `view` watches; returns the exit code. Raises what the engine raises.

    What a run makes are records that live as long as it, hardly ever circles of them: so the collector is told to
    look seldom, which saves a tenth of the runner's time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
    try:
        code = work(view).exit_code
    except BaseException as error:
        view.close(exit_code_of(error))
        raise
    view.close(code)
    return code


def in_turn(works: Iterable[Callable[[], int]], manner: Manner) -> list[int]:
    """The exit codes of what is done one after the other. One that refuses does not stop the others; an interrupt does.

    Left out is what somebody else drives, or what has to wait for another run: its turn comes.
    """
    codes: list[int] = []
    for work in works:
        try:
            codes.append(work())
        except (Busy, GroupHeld):
            continue
        except DurunError as error:
            codes.append(show_error(error, manner.as_json))
        if codes[-1] in LEFT:
            break
    return codes


def report_standing(app: App, record: RunRecord, manner: Manner, note: str = "") -> int:
    """Tell how a run stands that is not taken up; returns its exit code."""
    status = app.status(record)
    code = standing_code(record, status)
    view = choose_view(app, manner)
    if note and (manner.as_json or not manner.quiet or code):
        view.said(note)
    view.ended(Outcome(record.id, status, code, app.state(record.id), head=app.head(record.id)))
    view.close(code)
    return code
