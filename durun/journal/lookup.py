"""Which run a person means: an id, the beginning of one, or `@last`."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from durun.errors import NoSuchRun

LAST = "@last"
SHOWN = 5
"""Candidates named in a refusal."""
NEAR_AMONG = 500
"""Newest runs that are looked at for near matches."""


def unknown(run_id: str) -> NoSuchRun:
    """There is no such run, and it was not a person who typed it."""
    return NoSuchRun(f"no run {run_id}", "`durun history` lists the runs")


def none_yet() -> NoSuchRun:
    """`@last`, where there is no run."""
    return NoSuchRun("there is no run yet", "start one with `durun run RUNBOOK`")


def ambiguous(reference: str, candidates: Sequence[str]) -> NoSuchRun:
    """More than one id begins so."""
    named = ", ".join(candidates[:SHOWN]) + (", …" if len(candidates) > SHOWN else "")
    return NoSuchRun(f"{reference} is the beginning of more than one run: {named}", "type more of the id")


def near(reference: str, ids: Sequence[str]) -> NoSuchRun:
    """No id begins so; names those of `ids` that look like it."""
    close = get_close_matches(reference, ids, SHOWN, 0.7)
    close += [run_id for run_id in _same_length(reference, ids) if run_id not in close]
    if not close:
        return unknown(reference)
    return NoSuchRun(f"no run {reference}", f"did you mean {' or '.join(close[:SHOWN])}?")


def _same_length(reference: str, ids: Sequence[str]) -> list[str]:
    """Ids whose beginning, as long as the reference, looks like it: a person types a few characters."""
    beginnings = {run_id[: len(reference)]: run_id for run_id in ids}
    return [beginnings[close] for close in get_close_matches(reference, list(beginnings), SHOWN, 0.7)]
