"""Runs and tasks as rows, and back. Defaults are left out, so that a hundred thousand tasks load in a blink.

Attempts are most of a task's bytes and are seldom looked at: they stay text until somebody does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sys import intern
from typing import Any, TypeAlias, cast, overload

from durun.errors import JournalDamaged
from durun.journal.chain import RESTORE, Projection, canonical, written
from durun.model.status import How, TaskStatus
from durun.model.task import Attempt, Decision, Probe, RunRecord, TaskKey, TaskState, Waiting
from durun.model.values import Json

RunRow: TypeAlias = tuple[Any, ...]
"""The columns of `run` but its number: the fields of a RunRecord in their order."""

TaskRow: TypeAlias = tuple[Any, ...]
"""step, target, round, status, how, exit_code, changed_at, more, attempts."""


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise JournalDamaged("a state in the journal can't be read", RESTORE) from error


_RUN_FIELDS = RunRecord._fields
_COUNTS, _CANCEL, _OUTPUTS = (_RUN_FIELDS.index(name) for name in ("counts", "cancel_requested", "outputs"))
_RELEASE, _HOLDS, _UNDO = (_RUN_FIELDS.index(name) for name in ("release_on", "holds_group", "rollback_requested"))
_RUN_TEXTS = (_COUNTS, _OUTPUTS, _RELEASE)
_RUN_FIXED = {"id", "runbook", "status", "created_at", "request_id", "inputs_digest", "uid"}
_RUN_FIXED |= {"concurrency_group", "release_on", "holds_group"}
_RUN_CHANGES = tuple(name for name in _RUN_FIELDS if name not in _RUN_FIXED)
_COLUMNS = {"status", "how", "exit_code", "changed_at", "attempts"}
_TASK_TEXTS = (7, 8)
"""`more` and `attempts` in a TaskRow."""
_MORE = tuple((name, value) for name, value in TaskState._field_defaults.items() if name not in _COLUMNS)
_NOTHING: dict[str, Any] = {}
_REQUIRED = object()
"""Equal to no value: a field without a default is always written."""
_ATTEMPT = tuple((name, Attempt._field_defaults.get(name, _REQUIRED)) for name in Attempt._fields)


class StoredAttempts(Sequence[Attempt]):
    """The attempts of a task as they are stored, read when somebody first looks. Equal to a tuple of them."""

    __slots__ = ("_read", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: tuple[Attempt, ...] | None = None

    def _all(self) -> tuple[Attempt, ...]:
        if self._read is None:
            with _readable():
                self._read = tuple(Attempt(**data) for data in json.loads(self._text))
        return self._read

    @overload
    def __getitem__(self, index: int) -> Attempt: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Attempt, ...]: ...

    def __getitem__(self, index: int | slice) -> Attempt | tuple[Attempt, ...]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._all())

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (tuple, StoredAttempts)):
            return self._all() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    @property
    def stored(self) -> str:
        """The text."""
        return self._text


def run_row(record: RunRecord) -> RunRow:
    """The columns of a run."""
    return tuple([_column(getattr(record, name)) for name in _RUN_FIELDS])


def run_changes(record: RunRecord) -> RunRow:
    """The columns of a run that may change in its life, without `status` and `holds_group`, which are indexed."""
    return tuple([_column(getattr(record, name)) for name in _RUN_CHANGES])


def read_run(row: RunRow) -> RunRecord:
    """The run of a row. Raises JournalDamaged."""
    values = list(row)
    with _readable():
        values[_COUNTS] = json.loads(row[_COUNTS])
        values[_OUTPUTS] = json.loads(row[_OUTPUTS])
        values[_CANCEL] = bool(row[_CANCEL])
        values[_RELEASE] = tuple(json.loads(row[_RELEASE]))
        values[_HOLDS] = bool(row[_HOLDS])
        values[_UNDO] = bool(row[_UNDO])
        return RunRecord(*values)


def task_row(key: TaskKey, task: TaskState) -> TaskRow:
    """The columns of a task."""
    more = {name: _json(value) for name, default in _MORE if (value := getattr(task, name)) != default}
    return (
        key.step,
        key.target or "",
        key.round,
        task.status,
        task.how,
        task.exit_code,
        task.changed_at,
        written(more) if more else None,
        _attempts(task.attempts),
    )


def read_tasks(rows: Iterable[TaskRow]) -> dict[TaskKey, TaskState]:
    """The tasks of many rows, in their order. Raises JournalDamaged."""
    found = list(rows)
    tasks: dict[TaskKey, TaskState] = {}
    key = TaskKey._make
    with _readable():
        mores = iter(json.loads(f"[{','.join([row[7] for row in found if row[7] is not None])}]"))
        for step, target, number, status, how, exit_code, changed_at, more, attempts in found:
            tasks[key((intern(step), target or None, number))] = TaskState(
                status=cast(TaskStatus, intern(status)),
                how=None if how is None else cast(How, intern(how)),
                exit_code=exit_code,
                changed_at=changed_at,
                attempts=() if attempts is None else StoredAttempts(attempts),
                **(_NOTHING if more is None else _more(next(mores))),
            )
    return tasks


def compare(
    run_id: str, proved: tuple[Projection, int], stored: RunRow, rows: Mapping[tuple[Any, ...], TaskRow]
) -> None:
    """Prove that the stored rows are what the events say. `rows`: task rows by their first three columns.

    Raises JournalDamaged, naming what is wrong.
    """
    (record, tasks), last = proved
    sequence = read_run(stored).sequence
    if last < sequence:
        raise JournalDamaged(f"event {last + 1} of run {run_id} is missing, and all up to {sequence}", RESTORE)
    folded = {row[:3]: row for row in (task_row(key, state) for key, state in tasks.items())}
    wrong = [key for key in {**folded, **rows} if _differ(folded.get(key), rows.get(key), _TASK_TEXTS)]
    if wrong:
        step, target, number = min(wrong)
        named = TaskKey(step, target or None, number)
        raise JournalDamaged(f"the state of {named} of run {run_id} is not what its events say", RESTORE)
    if _differ(run_row(record), stored, _RUN_TEXTS):
        raise JournalDamaged(f"the state of run {run_id} is not what its events say", RESTORE)


def _differ(row: TaskRow | RunRow | None, other: TaskRow | RunRow | None, texts: tuple[int, ...]) -> bool:
    """Whether two rows say something else: the order of mappings in their `texts` is none of what they say."""
    if row == other:
        return False
    if row is None or other is None:
        return True
    try:
        return _ordered(row, texts) != _ordered(other, texts)
    except (ValueError, TypeError):
        return True


def _ordered(row: TaskRow | RunRow, texts: tuple[int, ...]) -> TaskRow | RunRow:
    values = list(row)
    for at in texts:
        values[at] = None if row[at] is None else canonical(json.loads(row[at]))
    return tuple(values)


def _more(data: dict[str, Json]) -> dict[str, Any]:
    if "probe" in data:
        data["probe"] = Probe(**data["probe"])
    if "waiting" in data:
        waiting = data["waiting"]
        decisions = tuple(Decision(**said) for said in waiting.pop("decisions", ()))
        data["waiting"] = Waiting(**waiting, decisions=decisions)
    return data


def _attempts(attempts: Sequence[Attempt]) -> str | None:
    if not attempts:
        return None
    if isinstance(attempts, StoredAttempts):
        return attempts.stored
    return written(
        [
            {name: value for name, default in _ATTEMPT if (value := getattr(attempt, name)) != default}
            for attempt in attempts
        ]
    )


def _json(value: Any) -> Json:
    if isinstance(value, Waiting):
        kept: dict[str, Json] = {"kind": value.kind, "until": value.until}
        if value.asked is not None:
            kept |= {"asked": value.asked, "decisions": [said._asdict() for said in value.decisions]}
        if value.kind == "poll":
            kept |= {"every": value.every, "times": value.times, "answered_at": value.answered_at}
        return kept
    return value._asdict() if isinstance(value, Probe) else value


def _column(value: Any) -> Any:
    """A field as SQLite holds it. Bytes of a file name that are no UTF-8 become question marks."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, (int, float)):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, tuple):
        return written(value) if value else "[]"
    return written(value) if value else "{}"
