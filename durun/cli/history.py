"""`durun history`: the runs, newest first. Loads as little as it can: it is called in loops and prompts."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from durun.app import App, open_app
from durun.cli.arguments import JsonOption, Option
from durun.cli.explain import explain
from durun.cli.screen import has_colours, note, width_of_terminal
from durun.errors import UsageError, meant
from durun.journal.api import RunQuery
from durun.model.status import DRIVEN, NOTABLE, RUN_STATUSES, RunStatus, spoken
from durun.model.task import RunRecord
from durun.model.tuples import NamedTuple
from durun.views.history import Listed, history_json, history_text
from durun.views.json import dump

ASKING: tuple[RunStatus, ...] = ("waiting", "in_doubt")
"""Runs that somebody may have to do something about before they go on."""

_NEAR_AMONG = 500
"""Newest runs whose runbooks are looked at for near matches of a name."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Chosen(NamedTuple):
    """Which runs are asked for. No statuses: all."""

    statuses: list[RunStatus]
    runbook: str | None
    since: float | None
    limit: int | None
    for_me: bool


def command(
    status: Annotated[
        list[str] | None,
        Option(
            "--status",
            metavar="STATUS",
            help="Only runs with this status, or these: failed,in_doubt; may be repeated.",
            shown=False,
        ),
    ] = None,
    for_me: Annotated[
        bool, Option("--for-me", help="Only runs that wait for you: to approve, to do something, to end a doubt.")
    ] = False,
    runbook_name: Annotated[
        str | None, Option("--runbook", metavar="NAME", help="Only runs of the runbook with this name.")
    ] = None,
    since: Annotated[
        str | None, Option(metavar="WHEN", help="Only runs started since: 7d, 12h, 30m, or a date.")
    ] = None,
    limit: Annotated[int, Option(metavar="N", least=0, help="How many; 0: all.")] = 20,
    as_json: JsonOption = False,
) -> int:
    """List the runs, newest first, and why they stand where they stand."""
    with open_app(read_only=True) as app:
        now = app.clock.now()
        wanted = [_status(word) for words in status or () for word in words.split(",")]
        begun = None if since is None else parse_since(since, now)
        chosen = Chosen(wanted, runbook_name, begun, limit or None, for_me)
        elsewhere = _elsewhere(app, chosen) if app.config.is_anothers else None
        runs, older = _choose(app, chosen) if elsewhere is None else (elsewhere, False)
        if as_json:
            sys.stdout.write(dump(history_json(runs)))
        elif runs:
            width = width_of_terminal()
            sys.stdout.write(history_text(runs, now, width, has_colours()))
            if width is not None and elsewhere is None:
                sys.stdout.write("".join(f"{line}\n" for line in _more(app, chosen, runs, older)))
        elif for_me:
            note("nothing waits for you")
        else:
            like = "no run is like that" + (_near_runbooks(app, runbook_name) if runbook_name else "")
            note(like if wanted or runbook_name or since else "there is no run yet: durun run RUNBOOK")
    return 0


def _near_runbooks(app: App, name: str) -> str:
    """`; did you mean …?`, where the newest runs are of runbooks with names like that, but none with this one."""
    from durun.cli.chosen import near_matches

    names = {record.runbook for record in app.journal.runs(RunQuery(limit=_NEAR_AMONG))}
    near = "" if name in names else near_matches(name, names)
    return f"; {near}" if near else ""


def _more(app: App, chosen: Chosen, runs: Sequence[Listed], older: bool) -> list[str]:
    """What to type next: what waits for whoever asks, `older` runs that wait and are not shown, and all others."""
    if chosen.for_me:
        return [f"next: durun show {runs[0].record.id}"]
    mine = sum(_is_theirs(run) for run in runs)
    lines = [f"{mine} of these for you to see to: durun history --for-me"] if mine else []
    if not older:
        return lines
    statuses, runbook, since, _, _ = chosen
    asking = [status for status in ASKING if not statuses or status in statuses]
    shown = {run.record.id for run in runs}
    waiting = list_runs(app, asking, runbook, since, None) if asking else []
    counts = Counter(status for record, status in waiting if record.id not in shown)
    if counts:
        told = ", ".join(f"{count} {spoken(status)}" for status, count in counts.items())
        lines.append(f"not shown: {told}: durun history --status {','.join(counts)}")
    return [*lines, "older ones: --limit 0"]


def _is_theirs(run: Listed) -> bool:
    """Whether a run waits for whoever asks: a doubt is for anybody to end who can read the journal."""
    return bool(run.why.yours) or run.status == "in_doubt"


def _choose(app: App, chosen: Chosen) -> tuple[list[Listed], bool]:
    """The runs, and whether there are older ones that are like them."""
    statuses, runbook, since, limit, for_me = chosen
    if not for_me:
        found = list_runs(app, statuses, runbook, since, None if limit is None else limit + 1)
        return explained(app, found[:limit]), limit is not None and len(found) > limit
    asking = [status for status in ASKING if not statuses or status in statuses]
    runs = explained(app, list_runs(app, asking, runbook, since, None)) if asking else []
    theirs = [run for run in runs if _is_theirs(run)]
    return theirs[:limit], limit is not None and len(theirs) > limit


def _elsewhere(app: App, chosen: Chosen) -> list[Listed] | None:
    """Of another user's runs those that ask something of others; None where the state directory is not shared."""
    from durun.cli.looking_elsewhere import list_elsewhere

    runs = list_elsewhere(app)
    statuses, runbook, since, limit, for_me = chosen
    return (
        runs
        and [
            run
            for run in runs
            if (not statuses or run.status in statuses)
            and runbook in (None, run.record.runbook)
            and (since is None or run.record.created_at >= since)
            and (run.why.yours or not for_me)
        ][:limit]
    )


def explained(app: App, runs: Sequence[tuple[RunRecord, RunStatus]]) -> list[Listed]:
    """The runs, and why they stand where they stand."""
    notable = app.journal.notable([record.id for record, _ in runs if not NOTABLE.isdisjoint(record.counts)])
    found = []
    for record, status in runs:
        found.append(Listed(record, status, explain(app, record, status, notable.get(record.id, []))))
    return found


def list_runs(
    app: App, statuses: list[RunStatus], runbook: str | None, since: float | None, limit: int | None
) -> list[tuple[RunRecord, RunStatus]]:
    """The runs with where they stand: the journal can't know which of them a living process drives."""
    asked = set(statuses) | (DRIVEN if "interrupted" in statuses else frozenset())
    derived = bool(asked & DRIVEN)
    query = RunQuery(statuses=asked or None, runbook=runbook, since=since, limit=None if derived else limit)
    found = [(record, app.status(record)) for record in app.journal.runs(query)]
    return [(record, status) for record, status in found if not statuses or status in statuses][:limit]


def _status(word: str) -> RunStatus:
    from difflib import get_close_matches

    asked = word.replace("-", "_").replace(" ", "_")
    for status in RUN_STATUSES:
        if status == asked:
            return status
    near = get_close_matches(asked, RUN_STATUSES, 1)
    raise UsageError(f"`{word}` is not a status", meant(near) or f"one of {', '.join(RUN_STATUSES)}")


def parse_since(text: str, now: float) -> float:
    """Seconds since the epoch of `7d` before `now`, or of an ISO date or time (local, unless it names a zone)."""
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return now - int(match[1]) * _UNITS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"`{text}` is neither a span of time nor a date", "write 7d, 12h, 30m or 2026-01-31") from None
