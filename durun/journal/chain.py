"""The chain of hashes that makes a changed or missing event show, and the proof that nothing did.

What is hashed is stored as it was hashed, so a proof never depends on how some version of durun writes JSON:
`hash = SHA-256(hash of the event before ‖ body)`, where body is JSON (no spaces, UTF-8) of `{at, data, run, sequence,
type}`, and the hash before the first event is 32 zero bytes. Mappings keep their order in it: a value that a step was
given as text must be the same text when it is read back, or one idempotency key would carry two requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from durun.errors import JournalDamaged
from durun.model.apply import IllegalTransition, apply, task_of
from durun.model.event import Event, Stamped, decode, encode, type_of
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.tuples import NamedTuple
from durun.model.values import Json

RESTORE = "the journal is left untouched: restore it from a copy"
RESTORE_FILE = "the journal is whole, and says what that file was: restore the file from a copy"
ORIGIN = bytes(32)
"""The hash before the first event."""

Projection = tuple[RunRecord, Mapping[TaskKey, TaskState]]
"""What a run's events fold to."""

_LONE = re.compile("[\ud800-\udfff]")


def _plain(value: Any) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


_in_order = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_plain).encode
_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode


def written(value: Json) -> str:
    """A value as JSON, its mappings in their order. It is valid UTF-8: bytes of a file name that are none stay as
    `\\udcXX`."""
    return _valid(_in_order(value))


def canonical(value: Json) -> str:
    """The one JSON text of a value, whatever the order of its mappings; valid UTF-8 as `written` is."""
    return _valid(_sorted(value))


def _valid(text: str) -> str:
    if not text.isascii() and _LONE.search(text):
        return _LONE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", text)
    return text


class Link(NamedTuple):
    """An event as it is stored. `at` is seconds since the epoch; `type` and `at` repeat what is in `body`."""

    sequence: int
    at: float
    type: str
    body: str
    hash: bytes


def seal(run_id: str, before: bytes, sequence: int, at: float, event: Event) -> Link:
    """The event as the next link after the hash `before`."""
    kind = type_of(event)
    body = written({"at": at, "data": encode(event), "run": run_id, "sequence": sequence, "type": kind})
    return Link(sequence, at, kind, body, sha256(before + body.encode()).digest())


def unseal(links: Iterable[Link]) -> list[Stamped]:
    """The events in the links, as they were appended.

    Raises JournalDamaged for one that is no event of this durun. It proves nothing else: see `prove`.
    """
    found = list(links)
    try:
        bodies = json.loads(f"[{','.join([link.body for link in found])}]")
        pairs = zip(found, bodies, strict=True)
        return [Stamped(link.sequence, link.at, decode(link.type, body["data"])) for link, body in pairs]
    except (ValueError, TypeError, KeyError) as error:
        raise JournalDamaged("an event in the journal can't be read", "`durun verify` names it") from error


def unseal_proved(run_id: str, link: Link, before: bytes | None) -> Stamped:
    """One event, which must be what was written after the hash `before` (None: the event before it is not there).

    Raises JournalDamaged.
    """
    if before is None and link.sequence > 1:
        raise _damaged(run_id, link.sequence - 1, "is missing")
    return _prove_link(run_id, before or ORIGIN, link)


def prove(run_id: str, links: Iterable[Link]) -> tuple[Projection, int]:
    """Follow the chain from its origin, and fold it: what the run and its tasks must be, and the newest number.

    Raises JournalDamaged, naming the first event that is wrong.
    """
    run: RunRecord | None = None
    tasks: dict[TaskKey, TaskState] = {}
    before, last = ORIGIN, 0
    for link in links:
        if link.sequence != last + 1:
            raise _damaged(run_id, last + 1, "is missing")
        stamped = _prove_link(run_id, before, link)
        key = task_of(stamped.event)
        try:
            state = None if key is None else tasks.get(key)
            run, after = apply(run, state, stamped.event, stamped.at, stamped.sequence, run_id)
        except (IllegalTransition, ValueError, TypeError, KeyError) as error:
            raise _damaged(run_id, link.sequence, f"can't follow what was before it: {error}") from error
        if key is not None and after is not None:
            tasks[key] = after
        before, last = link.hash, link.sequence
    if run is None:
        raise _damaged(run_id, 1, "is missing")
    return (run, tasks), last


def _prove_link(run_id: str, before: bytes, link: Link) -> Stamped:
    if sha256(before + link.body.encode()).digest() != link.hash:
        raise _damaged(run_id, link.sequence, "is not what was written: its hash does not fit")
    try:
        body = json.loads(link.body)
        event = decode(body["type"], body["data"])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(run_id, link.sequence, "is no event that this durun knows") from error
    named = (body["run"], body["sequence"], body["at"], body["type"])
    if named != (run_id, link.sequence, link.at, link.type):
        raise _damaged(run_id, link.sequence, "is filed under another run, number, time or type")
    return Stamped(link.sequence, link.at, event)


def _damaged(run_id: str, sequence: int, what: str) -> JournalDamaged:
    return JournalDamaged(f"event {sequence} of run {run_id} {what}", RESTORE)
