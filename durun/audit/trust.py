"""What a proof rests on: the keys whose signatures count, and the heads that were kept elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from durun.errors import JournalDamaged, UsageError
from durun.journal.register import Entry, damaged
from durun.secrets.sign import from_pem, key_id, verifies

_HEAD = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")


class Keys(NamedTuple):
    """Public keys by id. `given`: the caller has them from elsewhere, and no other ones count."""

    public: Mapping[str, bytes]
    given: bool = False

    def require(self, key: str, signature: bytes, message: bytes, what: str) -> None:
        """Raise JournalDamaged unless this key, which must be one of these, has signed the message."""
        public = self.public.get(key)
        if public is None:
            raise JournalDamaged(
                f"{what} is signed by the key {key}, which is not one of those that count here",
                "if you know the key, give its public half: --key FILE",
            )
        if not verifies(public, signature, message):
            raise JournalDamaged(f"the signature of {what} does not fit", "it was changed after it was signed")


_MAX_KEY = 1024 * 1024
_MAX_HEADS = 256 * 1024 * 1024
"""Bytes of a file in which heads stand, which may be a log of the system."""


def read_at_most(path: Path, most: int) -> bytes:
    """What is in the file, which may be a pipe. Raises UsageError if that is more, OSError."""
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise UsageError(f"{path} is larger than {most // 1024 // 1024} MiB", "give what is wanted of it")
    return found


def read_keys(files: Iterable[str]) -> Keys:
    """The keys in PEM files. Raises UsageError."""
    public = [_read_key(Path(name)) for name in files]
    return Keys({key_id(key): key for key in public}, given=True)


def _read_key(path: Path) -> bytes:
    try:
        return from_pem(read_at_most(path, _MAX_KEY))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", "name the PEM file of a public key") from None
    except ValueError:
        problem = f"{path} is not the public half of an Ed25519 key as PEM"
        raise UsageError(problem, "see `durun secret key --signing`") from None


def read_heads(words: Iterable[str]) -> list[str]:
    """The heads that were given: each word is one, in hex, or a file in which some stand. Raises UsageError."""
    heads: list[str] = []
    for word in words:
        if _HEAD.fullmatch(word):
            heads.append(word.lower())
            continue
        try:
            found = _HEAD.findall(read_at_most(Path(word), _MAX_HEADS).decode("utf-8", "replace"))
        except OSError as error:
            problem = f"{word} is no head, and no file: {error.strerror}"
            raise UsageError(problem, "give a head (64 hex digits), or a file that has some") from None
        if not found:
            raise UsageError(f"there is no head in {word}", "a head is 64 hex digits")
        heads += (head.lower() for head in found)
    return heads


def require_heads(heads: Sequence[str], known: Collection[str], where: str) -> None:
    """Raise JournalDamaged for the first head that is not among those that are known."""
    for head in heads:
        if head not in known:
            raise JournalDamaged(
                f"the head {head} is not in {where}",
                "an older state was put back, something was rewritten or cut, or the head is of another one",
            )


def prove_signatures(entries: Sequence[Entry], keys: Keys) -> int:
    """Prove every signature in the register; gives the number of the newest entry that one covers, 0 for none.

    Raises JournalDamaged, naming the first that is wrong.
    """
    newest = 0
    for entry in entries:
        if entry.key is not None and entry.signature is not None:
            keys.require(entry.key, entry.signature, entry.body.encode(), f"entry {entry.number} of the register")
            newest = entry.number
    return newest


def require_covered(entries: Sequence[Entry], newest: int) -> None:
    """Raise JournalDamaged for the end of a run that no signature covers: it may have been taken away."""
    for entry in entries:
        if entry.number > newest and entry.kind in ("run_ended", "run_pruned"):
            error = damaged(entry.number, f"(the end of run {entry.run}) is not signed, nor any after it")
            error.hint = "if the key could not be had then, see `durun doctor`: the next run signs for all before it"
            raise error
