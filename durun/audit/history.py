"""Proves a journal: the register, its signatures, each run against it and against what was folded from its events.

Nothing is changed. What is wrong is named: the first event, entry or file that is not what was written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from durun.audit.logs import prove_logs
from durun.audit.stamped import NOBODY, Vouching, prove_stamps, read_stamps, require_stamped, unstamped
from durun.audit.trust import Keys, prove_signatures, require_covered, require_heads
from durun.config import Config
from durun.engine.local.files import changed_files
from durun.engine.local.names import attempts_made
from durun.errors import JournalDamaged, NoSuchRun
from durun.evidence import wrong_with
from durun.journal.api import Journal, RunQuery
from durun.journal.chain import RESTORE, RESTORE_FILE, Link
from durun.journal.reading import read_created, refuse_older
from durun.journal.register import BEGUN, PRUNED, Entry, damaged, prove_register
from durun.model.copies import copy_name
from durun.model.evidence import evidence_of
from durun.model.values import Json
from durun.stamps.shelf import Shelf


class Proof(NamedTuple):
    """What was proved. `unsigned`: how many entries are newer than the newest signature; `head`: the newest entry's;
    `stamps`: the entries with a timestamp: `entry`, `at`, and whether it is `proved` who gave it."""

    runs: int
    events: int
    entries: int
    unsigned: int
    keys: Sequence[str]
    heads: int
    head: str
    notes: Sequence[str]
    stamps: Sequence[Mapping[str, Json]] = ()


class History(NamedTuple):
    """A journal, and the folder in which its runs have theirs."""

    journal: Journal
    runs: Path

    @property
    def stamps(self) -> Shelf:
        """The timestamps of its register."""
        return Shelf(Config(self.runs.parent).stamps_folder)


def prove(history: History, run_id: str | None, keys: Keys, heads: Sequence[str], vouching: Vouching = NOBODY) -> Proof:
    """Prove one run, or all of them, and the register in either case.

    `heads` were kept elsewhere: each must be the digest of an entry, or the hash of an event of the runs that are
    looked at. Raises JournalDamaged, NoSuchRun.
    """
    journal = history.journal
    journal.examine()
    stamped = history.stamps.numbers()  # before the entries: whoever writes meanwhile only adds to these
    made = _made(history.runs, run_id)  # before the runs: whoever works at them meanwhile only makes more
    entries = journal.entries()  # before the runs: whoever writes meanwhile only adds to what these say
    runs = [run_id] if run_id is not None else [record.id for record in reversed(journal.runs(RunQuery()))]
    prove_register(entries)
    require_stamped(stamped, entries)
    newest = prove_signatures(entries, keys)
    if keys.public:
        require_covered(entries, newest)
    by_run = _by_run(entries)
    if run_id is None:
        _refuse_missing(history, by_run, set(runs), made)
    events, hashes, notes = 0, {entry.digest for entry in entries}, list[str]()
    for known in runs:
        try:
            links, said = _prove_run(history, known, by_run, entries, made.get(known, 0), signed=bool(keys.public))
        except NoSuchRun:
            if run_id is not None or not _is_pruned(journal.entries(known)):
                raise
            continue  # somebody has pruned it just now
        events += len(links)
        notes += said
        if heads:
            hashes.update(link.hash.hex() for link in links)
    require_heads(heads, hashes, "this journal")
    stamps, said = prove_stamps(read_stamps(history.stamps, entries), entries, vouching)
    notes += said + unstamped(history.stamps, entries)
    if runs and not entries:
        notes.append("there is no register yet: the next run begins it, with the runs that are there")
    if not keys.public:
        notes.append("there is no key here: whether it was signed can't be told")
    signers = sorted({entry.key for entry in entries if entry.key is not None})
    head = entries[-1].digest if entries else ""
    return Proof(len(runs), events, len(entries), len(entries) - newest, signers, len(heads), head, notes, stamps)


def _prove_run(
    history: History, run: str, by_run: Mapping[str, list[Entry]], entries: Sequence[Entry], made: int, *, signed: bool
) -> tuple[list[Link], list[str]]:
    """Prove one run: its chain, its states, what the register says of it, its files. Gives what could not be proved.

    `made`: how many attempts its folder shows.
    """
    refuse_older(history.journal.record(run), made)
    history.journal.check(run, structure=False)
    links = history.journal.links(run)
    if entries or signed:  # without a key, it may be of an older durun, which kept no register
        _prove_entered(run, links, by_run.get(run) or history.journal.entries(run), entries)
    return links, _prove_files(history, run)


def _by_run(entries: Sequence[Entry]) -> Mapping[str, list[Entry]]:
    ordered = sorted(entries, key=lambda entry: (entry.run, entry.number))
    return {run: list(found) for run, found in groupby(ordered, key=lambda entry: entry.run)}


def _made(runs: Path, run_id: str | None) -> dict[str, int]:
    """How many attempts the folders of this run, or of all, show."""
    try:
        names = sorted(os.listdir(runs)) if run_id is None else [run_id]  # noqa: PTH208
    except FileNotFoundError:
        return {}
    return {name: attempts_made(runs / name) for name in names}


def _refuse_missing(
    history: History, by_run: Mapping[str, Sequence[Entry]], there: set[str], made: Mapping[str, int]
) -> None:
    """Raise JournalDamaged for a run that is gone without having been pruned: the register knows it, or its folder has
    attempts."""
    known = {run: found[0].number for run, found in by_run.items() if run}
    known |= {run: begun.number for begun in by_run.get("", ()) for run, *_ in begun.fields()["runs"]}
    for run, number in known.items():
        if run not in there and not _is_pruned(history.journal.entries(run)):
            raise JournalDamaged(f"run {run} is missing: entry {number} of the register has it", RESTORE)
    for run, attempts in made.items():
        if attempts and run not in there and run not in known:
            raise JournalDamaged(f"run {run} is missing: its attempts are in {history.runs / run}", RESTORE)


def _is_pruned(found: Sequence[Entry]) -> bool:
    return bool(found) and found[-1].kind == PRUNED


def _prove_entered(run: str, links: Sequence[Link], found: Sequence[Entry], entries: Sequence[Entry]) -> None:
    """Raise JournalDamaged unless every entry about the run fits the run's events, and there is one at all."""
    said = [(entry.number, *_at(entry)) for entry in found]
    for begun in entries[:1]:
        if begun.kind == BEGUN:
            said += [(1, sequence, head) for name, sequence, head in begun.fields()["runs"] if name == run]
    if not said:
        raise JournalDamaged(f"run {run} is not in the register", RESTORE)
    for number, sequence, head in sorted(said):
        if sequence > len(links):
            raise JournalDamaged(f"event {len(links) + 1} of run {run} is missing, and all up to {sequence}", RESTORE)
        if links[sequence - 1].hash.hex() != head:
            raise damaged(number, f"does not fit event {sequence} of run {run}")
    if _is_pruned(found):
        raise damaged(found[-1].number, f"says that run {run} was pruned, and it is there")


def _at(entry: Entry) -> tuple[int, str]:
    fields = entry.fields()
    sequence, head = fields.get("sequence"), fields.get("head")
    if not isinstance(sequence, int) or sequence < 1 or not isinstance(head, str):
        raise damaged(entry.number, "can't be read")
    return sequence, head


def _prove_files(history: History, run: str) -> list[str]:
    """Compare what lies in the run's folder with what its events say. Gives what could not be looked at."""
    created, tasks = read_created(history.journal, run), history.journal.tasks(run)
    folder = history.runs / run
    pieces = list(evidence_of(tasks.items()))
    if not folder.is_dir():
        had = created.files or pieces or any(one.log for task in tasks.values() for one in task.attempts)
        return [f"run {run}: its folder is gone, its files were not looked at"] if had else []
    copies = folder / created.files_folder
    for name in changed_files({copy_name(name): facts for name, facts in created.files.items()}, copies):
        raise JournalDamaged(f"{copies / name} is not the file that run {run} began with", RESTORE_FILE)
    for problem in (wrong_with(piece, folder) for piece in pieces):
        if problem:
            raise JournalDamaged(f"evidence of run {run}: {problem}", RESTORE_FILE)
    gone = prove_logs(tasks.items(), folder)
    return [f"run {run}: logs of its attempts are gone: {gone}"] if gone else []
