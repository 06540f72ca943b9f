"""Takes a run out of a journal into a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from durun.audit.archive import Content, Large, pack
from durun.audit.bundle import Account, helpers, make
from durun.audit.history import History
from durun.audit.packing import Packing
from durun.audit.stamped import NOBODY, prove_stamps, read_stamps
from durun.errors import JournalDamaged, NotAllowed
from durun.journal.chain import RESTORE_FILE, prove, unseal
from durun.journal.register import Entry
from durun.model.evidence import evidence_of
from durun.model.task import TaskKey, TaskState
from durun.secrets.sign import Ed25519Signer


def export(
    history: History, run_id: str, signer: Ed25519Signer, packing: Packing, scrub: Callable[[str], str]
) -> Iterator[bytes]:
    """The bundle of a run, piece by piece: its newest entry is signed first, if it is not.

    `scrub` takes every secret that is known out of a text: what it would change is not exported (evidence had its own
    redaction, before it was hashed). Raises NoSuchRun,
    JournalDamaged, NotAllowed, StorageFailed.
    """
    account = gather(history, run_id, signer)
    archive = make(account, signer, packing)
    for name, content in archive.files.items():
        text = "" if isinstance(content, Large) else content.decode("utf-8", "surrogateescape")
        if scrub(text) != text:
            raise NotAllowed(f"{name} would have a secret of the run in it", "nothing was exported")
    return pack(archive, packing)


def gather(history: History, run_id: str, signer: Ed25519Signer) -> Account:
    """All that is told of a run, its chain proved."""
    journal = history.journal
    links = journal.links(run_id)
    (record, tasks), _ = prove(run_id, links)
    events = unseal(links)
    found = _helpers(history.runs / run_id, helpers(events))
    evidence = _evidence(history.runs / run_id, tasks)
    entries = _entries(history, run_id, signer)
    stamps = read_stamps(history.stamps, entries)
    prove_stamps(stamps, entries, NOBODY)
    return Account(record, tasks, links, events, entries, found, evidence, stamps)


def _entries(history: History, run_id: str, signer: Ed25519Signer) -> list[Entry]:
    """The entries about the run, and from the newest of them on to the first that this key has signed."""
    own = history.journal.entries(run_id)
    if not own:
        return []
    history.journal.sign_with(signer)
    later = history.journal.entries(after=own[-1].number - 1)
    if not any(entry.key == signer.key for entry in later):
        history.journal.sign()
        later = history.journal.entries(after=own[-1].number - 1)
    signed = next((number for number, entry in enumerate(later) if entry.key == signer.key), len(later) - 1)
    # What another key has signed shows nothing to who has only this one.
    chosen = [*own[:-1], *later[: signed + 1]]
    return [entry if entry.key == signer.key else entry._replace(key=None, signature=None) for entry in chosen]


def _evidence(folder: Path, tasks: Mapping[TaskKey, TaskState]) -> dict[str, Content]:
    """The evidence that is there; when it is read, it is held against its digest."""
    pieces = {piece.path: piece for piece in evidence_of(tasks.items()) if (folder / piece.path).is_file()}
    return {name: Large(piece.size, piece.sha256, folder / name) for name, piece in pieces.items()}


def _helpers(folder: Path, digests: dict[str, str]) -> dict[str, bytes]:
    """The helper files that are there. Raises JournalDamaged for one that was changed."""
    found: dict[str, bytes] = {}
    for name, digest in digests.items():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue  # the bundle says that it was gone
        if sha256(content).hexdigest() != digest:
            raise JournalDamaged(f"{folder / name} is not the file that the run began with", RESTORE_FILE)
        found[name] = content
    return found
