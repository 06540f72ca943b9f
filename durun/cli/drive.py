"""Driving a run from a command: a view is chosen, the engine works, the view has the last word."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from durun.app import App
from durun.engine.api import Observer, Outcome
from durun.errors import DurunError
from durun.model.status import ENDED, RunStatus
from durun.model.task import RunRecord
from durun.views.channel import Channel
from durun.views.json import JsonLines
from durun.views.observer import View
from durun.views.plain import PlainView

_BY_STATUS: dict[RunStatus, int] = {"succeeded": 0, "cancelled": 12, "in_doubt": 3, "waiting": 5, "interrupted": 130}
_DRIVEN_ELSEWHERE = 11

_PRECEDENCE = (8, 7, 13, 130, 143, 3, 9, 4, 6, 1, 10, 11, 2, 12, 5, 0)
"""Of several exit codes, the first in this list."""


def choose_view(app: App, as_json: bool, quiet: bool) -> View:
    """JSON lines, a live picture on a terminal that can show one, else plain lines."""
    descriptor = sys.stdout.fileno()
    encoding = sys.stdout.encoding or "utf-8"
    if as_json:
        from durun.views.backlog import SpooledBacklog

        return JsonLines(Channel(descriptor, "utf-8", SpooledBacklog(app.config.home)))
    channel = Channel(descriptor, encoding)
    if quiet or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb"):
        return PlainView(channel, quiet)
    from durun.views.live import LiveView

    return LiveView(channel, descriptor)


def drive(view: View, work: Callable[[Observer], Outcome]) -> int:
    """Let the engine work while `view` watches; returns the exit code. Raises what the engine raises."""
    code = 1
    try:
        code = work(view).exit_code
    except DurunError as error:
        code = error.exit_code
        raise
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        view.close(code)
    return code


def standing_code(record: RunRecord, status: RunStatus) -> int:
    """The exit code for a run that is not driven now, as if it had just been left."""
    if status in ENDED and record.exit_code is not None:
        return record.exit_code
    if status in ("running", "pending", "rolling_back"):
        return _DRIVEN_ELSEWHERE
    return _BY_STATUS.get(status, 1)


def worst(codes: list[int]) -> int:
    """Of several exit codes the one that says most; 0 for none."""
    unknown = [code for code in codes if code not in _PRECEDENCE]
    return unknown[0] if unknown else min(codes, key=_PRECEDENCE.index, default=0)


def report_standing(app: App, record: RunRecord, as_json: bool, quiet: bool, note: str = "") -> int:
    """Tell how a run stands that is not taken up; returns its exit code."""
    status = app.status(record)
    code = standing_code(record, status)
    view = choose_view(app, as_json, quiet)
    if note and (as_json or not quiet):
        view.said(note)
    view.ended(Outcome(record.id, status, code, app.state(record.id)))
    view.close(code)
    return code
