"""The register: one chain over all runs of a journal, whose newest entry may be signed.

An entry is made in the same transaction as the events that it is about: where a run begins, parks or ends, and where
somebody decides something. It names the number and the hash of the run's newest event then, and the SHA-256 of the
body of the entry before: so a run can't be taken away, nor its end, without a break here, and a signature of an entry
is one of all that came before it. What is hashed and signed is the body, the canonical JSON of its fields, as it is
stored. The first entry has the heads of the runs that were there before there was a register.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from durun.errors import JournalDamaged
from durun.journal.chain import RESTORE, canonical
from durun.model.event import Event, RunEnded, RunParked, SealsDestroyed, type_of
from durun.model.task import RunRecord
from durun.model.tuples import NamedTuple
from durun.model.values import Json

BEGUN = "register_begun"
PRUNED = "run_pruned"
NO_DIGEST = "0" * 64
"""What the first entry names as the digest of the one before it."""

_STANDINGS = (RunParked, RunEnded, SealsDestroyed)


class Signer(Protocol):
    """Who signs entries."""

    @property
    def key(self) -> str:
        """The id of the key."""

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes. Never fails."""


class Entry(NamedTuple):
    """An entry as it is stored; `run` and `kind` repeat what is in `body`. `key`: whose `signature` it is, if any."""

    number: int
    run: str
    kind: str
    body: str
    key: str | None = None
    signature: bytes | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the body, in hex: what is called the head of a run, or of the register."""
        return sha256(self.body.encode()).hexdigest()

    def fields(self) -> Mapping[str, Any]:
        """What the body says. Raises JournalDamaged."""
        try:
            fields = json.loads(self.body)
        except ValueError as error:
            raise damaged(self.number, "can't be read") from error
        if not isinstance(fields, dict):
            raise damaged(self.number, "can't be read")
        return fields

    def signed_by(self, signer: Signer) -> Entry:
        """The same entry, signed."""
        return self._replace(key=signer.key, signature=signer.sign(self.body.encode()))


def kind_of(events: Sequence[Event]) -> str | None:
    """The type of the newest of the events that are entered: somebody's word, and where a run stands. None: none is."""
    entered = (event for event in reversed(events) if "by" in event._fields or isinstance(event, _STANDINGS))
    return next((type_of(event) for event in entered), None)


def begin(heads: Iterable[Sequence[Json]], at: float) -> Entry:
    """The first entry. `heads`: id, newest number and its hash in hex, of every run that is there already."""
    return _entry(None, {"at": at, "kind": BEGUN, "run": "", "runs": [list(head) for head in heads]})


def enter(before: Entry, kind: str, run_id: str, sequence: int, head: bytes, at: float) -> Entry:
    """The entry after `before`, about a run whose newest event has this number and this hash."""
    return _entry(before, {"at": at, "kind": kind, "run": run_id, "sequence": sequence, "head": head.hex()})


def entomb(before: Entry, record: RunRecord, head: bytes, at: float) -> Entry:
    """The entry of a run that is about to be removed: what stays of it."""
    fields = {"at": at, "kind": PRUNED, "run": record.id, "sequence": record.sequence, "head": head.hex()}
    told = {"runbook": record.runbook, "status": record.status, "started": record.created_at, "ended": record.ended_at}
    return _entry(before, fields | told)


def prove_register(entries: Iterable[Entry]) -> None:
    """Follow the chain from its first entry. Raises JournalDamaged, naming the first one that is wrong."""
    digest, last = NO_DIGEST, 0
    for entry in entries:
        if entry.number != last + 1:
            raise damaged(last + 1, "is missing")
        fields = entry.fields()
        if fields.get("before") != digest:
            wrong = last or entry.number
            raise damaged(wrong, "is not what was written: the hash in the one after it does not fit")
        if (fields.get("number"), fields.get("run"), fields.get("kind")) != (entry.number, entry.run, entry.kind):
            raise damaged(entry.number, "is filed under another number, run or kind")
        digest, last = entry.digest, entry.number


def damaged(number: int, what: str) -> JournalDamaged:
    """The error of an entry that is wrong."""
    return JournalDamaged(f"entry {number} of the register {what}", RESTORE)


def _entry(before: Entry | None, fields: dict[str, Json]) -> Entry:
    number = 1 if before is None else before.number + 1
    body = canonical({**fields, "number": number, "before": NO_DIGEST if before is None else before.digest})
    return Entry(number, fields["run"], fields["kind"], body)
