"""The evidence of a run, piece by piece, as its events tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from durun.model.task import Attempt, TaskKey, TaskState
from durun.model.tuples import NamedTuple
from durun.model.values import Json

FOLDER = "evidence"
"""Where in the run's folder the evidence is, each piece under its SHA-256."""


class Evidence(NamedTuple):
    """One piece: what it is, and who took it of which machine by which command, when.

    `taken_at` is UTC, `utc_offset` the local time's offset there (`+0200`). `modified_at` is of a file.
    """

    name: str
    sha256: str
    size: int
    source: str
    taken_at: str
    key: TaskKey
    attempt: int
    host: str
    user: str
    uid: int
    command: tuple[str, ...]
    utc_offset: str
    redacted: bool = False
    modified_at: str | None = None

    @property
    def path(self) -> str:
        """Where it is, in the run's folder."""
        return f"{FOLDER}/{self.sha256}"


def evidence_of(tasks: Iterable[tuple[TaskKey, TaskState]]) -> Iterator[Evidence]:
    """Every piece that was taken, also by attempts that failed, in the order of the tasks and attempts."""
    for key, task in tasks:
        for attempt in task.attempts:
            if attempt.evidence is not None:
                yield from _of_attempt(key, attempt, attempt.evidence)


def _of_attempt(key: TaskKey, attempt: Attempt, taken: Json) -> Iterator[Evidence]:
    for name, item in taken["items"].items():
        yield Evidence(
            name=name,
            sha256=item["sha256"],
            size=item["bytes"],
            source=item["source"],
            taken_at=item["taken_at"],
            key=key,
            attempt=attempt.number,
            host=taken["host"],
            user=taken["user"],
            uid=taken["uid"],
            command=tuple(taken["command"]),
            utc_offset=taken["utc_offset"],
            redacted=bool(item.get("redacted")),
            modified_at=item.get("modified_at"),
        )
