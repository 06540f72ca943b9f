"""What is asked: files that the owner of the runs writes and the group reads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from durun.errors import StorageFailed, Unsafe
from durun.model.values import Json
from durun.sharing.exact import Suspect, read_exact, write_exact
from durun.sharing.places import Shared, require_shared


class Question(NamedTuple):
    """One decision that is asked for. `content` is what is shown; `nonce` (hex) is that of this very question."""

    run: str
    nonce: str
    content: Mapping[str, Json]

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.run}.{self.nonce}.json"


def publish(folders: Shared, run: str, questions: Sequence[Question]) -> None:
    """Let exactly these questions of the run be seen. Raises StorageFailed."""
    wanted = {question.name: question for question in questions}
    try:
        for path in folders.requests.glob(f"{run}.*.json"):
            if wanted.pop(path.name, None) is None:
                path.unlink(missing_ok=True)
        for name, question in wanted.items():
            text = json.dumps({"schema": 1, **question.content}, ensure_ascii=False, sort_keys=True)
            # Another process of the owner's may be as far.
            with contextlib.suppress(FileExistsError):
                write_exact(folders.requests / name, f"{text}\n".encode())
    except OSError as error:
        raise StorageFailed(
            f"can't say in {folders.requests} what is asked: {error.strerror}", "see to the disk, then try again"
        ) from error


def is_published(folders: Shared, run: str, nonce: str) -> bool:
    """Whether the question can be seen."""
    return (folders.requests / Question(run, nonce, {}).name).exists()


def published(home: Path) -> list[Question]:
    """What the owner of a state directory asks of others; the caller is one of these.

    Raises Unsafe where it is not shared with the caller, or by somebody else than its owner.
    """
    folders = Shared(home)
    try:
        require_shared(folders)
        owner = home.stat().st_uid
        paths = sorted(folders.requests.glob("*.json"))
    except OSError as error:
        hint = "its owner can share it: durun doctor --share GROUP"
        raise Unsafe(f"{home} is not shared with you: {error.strerror}", hint) from None
    return [question for path in paths if (question := _read(path, owner)) is not None]


def _read(path: Path, owner: int) -> Question | None:
    run, _, nonce = path.name.removesuffix(".json").partition(".")
    try:
        found = read_exact(path)
    except Suspect as suspect:
        raise Unsafe(f"{path} {suspect.why}", "tell the owner of the runs") from None
    if found is None or not found.content.endswith(b"\n"):
        return None
    if found.uid != owner:
        raise Unsafe(f"{path} was not written by the owner of the runs", "tell the owner of the runs")
    return Question(run, nonce, json.loads(found.content))
