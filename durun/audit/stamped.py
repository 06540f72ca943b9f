"""Proves the timestamps of a register's entries, as far as it is known who may give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durun.audit.trust import read_at_most
from durun.errors import JournalDamaged, StorageFailed, UsageError
from durun.journal.register import Entry, damaged
from durun.model.clock import to_iso
from durun.model.values import Json
from durun.stamps import tokens
from durun.stamps.shelf import Shelf

if TYPE_CHECKING:
    from durun.stamps.tokens import Authorities

_OF_ANOTHER = "it was changed, or what it stamps was: put back what was there"
_MAX = 16 * 1024 * 1024
_UNKNOWN = "if another authority gave it, give its certificates: --tsa-ca FILE"


class Vouching(NamedTuple):
    """The certificates by which it is known who may give timestamps; None: nobody has said."""

    authorities: Authorities | None


NOBODY = Vouching(None)


def read_vouching(file: str) -> Vouching:
    """The certificates in a PEM file; of no file, none. Raises UsageError."""
    if not file:
        return NOBODY
    if not tokens.available():
        raise UsageError("timestamps can't be proved here", tokens.MISSING)
    try:
        return Vouching(tokens.read_authorities(read_at_most(Path(file), _MAX)))
    except OSError as error:
        hint = "name the PEM file with the authority's certificates"
        raise UsageError(f"{file} can't be read: {error.strerror}", hint) from None
    except ValueError:
        raise UsageError(f"{file} has no certificates as PEM", "the authority publishes them") from None


def require_stamped(numbers: Sequence[int], entries: Sequence[Entry]) -> None:
    """Raise JournalDamaged for an entry that is gone, and was stamped: `numbers` must be older than `entries`."""
    known = {entry.number for entry in entries}
    if strange := [number for number in numbers if number not in known]:
        raise damaged(strange[0], "is missing: there is a timestamp of it")


def read_stamps(shelf: Shelf, entries: Sequence[Entry]) -> dict[int, bytes]:
    """The timestamps of these entries, by number. Raises StorageFailed."""
    known = {entry.number for entry in entries}
    with _readable():
        found = {number: shelf.read(number) for number in shelf.numbers() if number in known}
    return {number: stamp for number, stamp in found.items() if stamp is not None}


def prove_stamps(
    stamps: Mapping[int, bytes], entries: Sequence[Entry], vouching: Vouching
) -> tuple[list[Mapping[str, Json]], list[str]]:
    """Prove that each stamps its entry; gives what they say, and what that does not show. Raises JournalDamaged."""
    if not stamps:
        return [], []
    if not tokens.available():
        return [], [f"timestamps ({len(stamps)}) were not looked at: {tokens.MISSING}"]
    bodies = {entry.number: entry.body.encode() for entry in entries}
    told = [_prove(number, stamp, bodies[number], vouching) for number, stamp in sorted(stamps.items())]
    if vouching.authorities is None:
        return told, ["who gave the timestamps was not looked at: give the authority's certificates, --tsa-ca FILE"]
    return told, []


def unstamped(shelf: Shelf, entries: Sequence[Entry]) -> list[str]:
    """What is to be said of the newest entry that was to be stamped, if it is not: a later one covers those before.

    Raises StorageFailed.
    """
    with _readable():
        wanting = shelf.wanting()
    if not entries or wanting is None:
        return []
    return [f"entry {wanting.entry} of the register has no timestamp: {wanting.why}"]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{error.filename}: {error.strerror}", "make it readable for you") from error


def _prove(number: int, stamp: bytes, body: bytes, vouching: Vouching) -> Mapping[str, Json]:
    try:
        at = tokens.stamped_at(stamp, body)
    except tokens.NoStamp as error:
        raise _wrong(number, str(error), _OF_ANOTHER) from error
    if vouching.authorities is not None:
        try:
            tokens.require_signed(stamp, body, vouching.authorities)
        except tokens.NoStamp as error:
            raise _wrong(number, str(error), _UNKNOWN) from error
    return {"entry": number, "at": to_iso(at), "proved": vouching.authorities is not None}


def _wrong(number: int, why: str, hint: str) -> JournalDamaged:
    return JournalDamaged(f"the timestamp of entry {number} of the register: {why}", hint)
