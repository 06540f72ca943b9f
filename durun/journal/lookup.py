"""Which run a person means: an id, the beginning of one, or `@last`."""

from __future__ import annotations

from collections.abc import Sequence

from durun.errors import GroupHeld, NoSuchRun, NotAllowed, first_of, meant
from durun.journal.api import SequenceConflict
from durun.model.clock import to_iso
from durun.model.status import FINAL, RunStatus, spoken
from durun.model.task import RunRecord

LAST = "@last"
SHOWN = 5
"""Candidates named in a refusal."""
NEAR_AMONG = 500
"""Newest runs that are looked at for near matches."""


def unknown(run_id: str) -> NoSuchRun:
    """There is no such run, and it was not a person who typed it."""
    return NoSuchRun(f"no run {run_id or 'without an id'}", "`durun history` lists the runs")


def there_already(run_id: str) -> SequenceConflict:
    """Somebody was faster: the run that was not to be there is."""
    return SequenceConflict(f"run {run_id} is there already", f"look at it: durun show {run_id}")


def refuse_not_over(record: RunRecord) -> None:
    """Raise NotAllowed for a run that may still go on, or has privileges open: it is kept."""
    if record.status not in FINAL:
        standing = spoken(record.status)
        raise NotAllowed(f"run {record.id} is {standing}", "only a run that is over can be pruned")
    if record.privileged:
        raise NotAllowed(f"run {record.id} has left privileges open", "close them first: durun reap")


def group_held(holder: RunRecord, status: RunStatus, driver: str = "") -> GroupHeld:
    """Another run has the concurrency group. `status`: where it stands, `driver` the process that drives it, if any."""
    facts = ", ".join(filter(None, [spoken(status), f"since {to_iso(holder.created_at)}", driver]))
    cancel = f"durun cancel {holder.id} --reason …"
    if driver:
        hint = f"wait for it, or stop it: {cancel}"
    elif status in ("waiting", "in_doubt"):
        hint = f"see what it waits for: durun show {holder.id}; or give it up: {cancel}"
    else:
        hint = f"go on with it: durun resume {holder.id}; or give it up: {cancel}"
    return GroupHeld(
        f"run {holder.id} of {holder.runbook} holds the concurrency group `{holder.concurrency_group}` ({facts})",
        hint,
        holder.id,
        str(holder.concurrency_group),
    )


def none_yet() -> NoSuchRun:
    """`@last`, where there is no run."""
    return NoSuchRun("there is no run yet", "start one with `durun run RUNBOOK`")


def ambiguous(reference: str, candidates: Sequence[str]) -> NoSuchRun:
    """More than one id begins so."""
    named = first_of(candidates, SHOWN)
    return NoSuchRun(f"{reference} is the beginning of more than one run: {named}", "type more of the id")


def near(reference: str, ids: Sequence[str]) -> NoSuchRun:
    """No id begins so; names those of `ids` that look like it, or whose beginning does: few type a whole id."""
    allowed = min(2, len(reference) // 3)
    beginnings = ((run_id, {run_id, run_id[: len(reference)]}) for run_id in ids)
    close = [run_id for run_id, parts in beginnings if any(_apart(reference, part) <= allowed for part in parts)]
    if not close or not reference:
        return unknown(reference)
    return NoSuchRun(f"no run {reference}", meant(close[:SHOWN]))


def _apart(one: str, other: str) -> int:
    """How many characters to change, add or leave out (Levenshtein's distance). difflib would cost every start."""
    if abs(len(one) - len(other)) > 2:
        return len(one) + len(other)
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
