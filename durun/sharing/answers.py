"""What others decided: a file for each decision, whose author the kernel tells.

A file's name says for whom it decides, and its owner must be the same: an owner can't be chosen but by root, whose
word is taken and marked as what it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from durun.errors import NotAllowed, StorageFailed, typed
from durun.model.values import Json
from durun.sharing.exact import Suspect, read_exact, write_exact
from durun.sharing.places import Shared

_NAME = re.compile(r"(?P<run>[^.]+)\.(?P<nonce>[^.]+)\.(?P<uid>[0-9]{1,10})\.json")


class Answer(NamedTuple):
    """One decision. `uid` decided; `advisory`: it was root who wrote it, for that user; `content` as it was written."""

    name: str
    uid: int
    content: Mapping[str, Json]
    advisory: bool = False


class Forged(NamedTuple):
    """A file that counts for nothing: `why` completes "it …". `uid` is its owner, where that could be told."""

    name: str
    why: str
    uid: int | None = None


def answer(folders: Shared, run: str, nonce: str, content: Mapping[str, Json]) -> Path:
    """Record what the calling user decides. Raises NotAllowed (has decided already), StorageFailed."""
    path = _place_of(folders, run, nonce)
    text = json.dumps({"schema": 1, **content}, ensure_ascii=False, sort_keys=True)
    try:
        write_exact(path, f"{text}\n".encode())
    except FileExistsError:
        raise NotAllowed(
            "you have decided this already", f"to take it back before it is counted: rm {typed(path)}"
        ) from None
    except OSError as error:
        raise StorageFailed(f"can't write {path}: {error.strerror}", "see to the disk, then try again") from error
    return path


def has_answered(folders: Shared, run: str, nonce: str) -> bool:
    """Whether the calling user has decided, and the owner has not taken it in."""
    return os.path.lexists(_place_of(folders, run, nonce))


def _place_of(folders: Shared, run: str, nonce: str) -> Path:
    return folders.approvals / f"{run}.{nonce}.{os.geteuid()}.json"


def answers(folders: Shared, run: str) -> list[Answer | Forged]:
    """Every decision of others about the run, in the order of the files' names; those that don't count, too."""
    try:
        names = sorted(entry.name for entry in os.scandir(folders.approvals) if entry.name.startswith(f"{run}."))
    except OSError as error:
        raise StorageFailed(f"can't read {folders.approvals}: {error.strerror}", "durun doctor says more") from error
    found = (_read(folders.approvals / name) for name in names)
    return [one for one in found if one is not None]


def nonce_of(name: str) -> str:
    """Which question a file answers, by its name; empty if that says nothing."""
    match = _NAME.fullmatch(name)
    return match["nonce"] if match is not None else ""


def _read(path: Path) -> Answer | Forged | None:
    named = _NAME.fullmatch(path.name)
    if named is None:
        return Forged(path.name, "has a name that says not for whom it decides")
    try:
        found = read_exact(path)
    except Suspect as suspect:
        return Forged(path.name, suspect.why, suspect.uid)
    if found is None or not found.content.endswith(b"\n"):
        # Its author is still writing.
        return None
    uid = int(named["uid"])
    if found.uid not in (uid, 0):
        return Forged(path.name, f"decides for uid {uid} and belongs to uid {found.uid}", found.uid)
    content = _object(found.content)
    if content is None:
        return Forged(path.name, "holds no decision", found.uid)
    return Answer(path.name, uid, content, advisory=found.uid == 0)


def _object(raw: bytes) -> Mapping[str, Json] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
