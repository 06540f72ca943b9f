"""A journal that lives as long as the process: for tests and other engines, with the contract of the real one.

It stores the same links and reads events back from their text, so that nothing that JSON can't hold survives.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from durun.journal import lookup, register
from durun.journal.api import RunQuery, SequenceConflict
from durun.journal.chain import ORIGIN, Link, prove, seal, unseal
from durun.journal.codec import compare, run_row, task_row
from durun.journal.register import Entry, Signer
from durun.model.apply import apply, task_of
from durun.model.event import Event, Stamped
from durun.model.state import notable
from durun.model.task import RunRecord, TaskKey, TaskState


@dataclass(slots=True)
class _Run:
    record: RunRecord | None
    links: list[Link] = field(default_factory=list)
    tasks: dict[TaskKey, TaskState] = field(default_factory=dict)


class MemoryJournal:
    """See `durun.journal.api.Journal`."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._entries: list[Entry] = []
        self._signer: Signer | None = None

    def append(
        self, run_id: str, expected: int, events: Sequence[Event], at: float, unless: RunQuery | None = None
    ) -> int:
        """See `Journal.append`."""
        if not events:
            raise ValueError("nothing to append")
        run = self._runs.get(run_id) or _Run(None)
        head = len(run.links)
        if head != expected:
            raise SequenceConflict(
                f"run {run_id} is at event {head}, not {expected}: another process appended first",
                "read what is new, and decide again",
            )
        if unless is not None and (there := self.runs(unless)):
            raise lookup.there_already(there[0].id)
        new = self._fold(run, run_id, events, at)
        if new.record is not None:
            self._refuse_held(run.record, new.record)
            if not head:
                self._refuse_second(new.record)
        run.record = new.record
        run.links += new.links
        run.tasks.update(new.tasks)
        self._runs[run_id] = run
        if (kind := register.kind_of(events)) is not None:
            self._enter(register.enter(self._newest_entry(at), kind, run_id, len(run.links), run.links[-1].hash, at))
        return len(run.links)

    def one_moment(self) -> AbstractContextManager[None]:
        """See `Journal.one_moment`. Nobody else can write."""
        return nullcontext()

    def head(self, run_id: str) -> int:
        """See `Journal.head`."""
        return self.record(run_id).sequence

    def record(self, run_id: str) -> RunRecord:
        """See `Journal.record`."""
        record = self._run(run_id).record
        assert record is not None
        return record

    def tasks(self, run_id: str) -> dict[TaskKey, TaskState]:
        """See `Journal.tasks`."""
        return dict(self._run(run_id).tasks)

    def events(self, run_id: str, after: int = 0, types: Collection[str] | None = None) -> list[Stamped]:
        """See `Journal.events`."""
        links = self._run(run_id).links[after:]
        return unseal(link for link in links if types is None or link.type in types)

    def runs(self, query: RunQuery) -> list[RunRecord]:
        """See `Journal.runs`."""
        found = [record for record in self._newest() if _matches(record, query)]
        return found if query.limit is None else found[: query.limit]

    def notable(self, run_ids: Collection[str]) -> dict[str, list[tuple[TaskKey, TaskState]]]:
        """See `Journal.notable`."""
        found = ((run_id, notable(self._runs[run_id].tasks)) for run_id in run_ids if run_id in self._runs)
        return {run_id: tasks for run_id, tasks in found if tasks}

    def group_holder(self, group: str) -> RunRecord | None:
        """See `Journal.group_holder`."""
        held = (run.record for run in self._runs.values() if run.record is not None and run.record.holds_group)
        return next((record for record in held if record.concurrency_group == group), None)

    def find(self, reference: str, uid: int | None = None) -> str:
        """See `Journal.find`."""
        newest = [record.id for record in self._newest() if uid is None or record.uid == uid]
        if reference == lookup.LAST:
            if not newest:
                raise lookup.none_yet()
            return newest[0]
        if not reference:  # an unset variable of a shell must not mean the only run there is
            raise lookup.unknown(reference)
        ids = sorted(run_id for run_id in self._runs if run_id.startswith(reference))
        if reference in ids or len(ids) == 1:
            return ids[0]
        if ids:
            raise lookup.ambiguous(reference, ids)
        raise lookup.near(reference, [record.id for record in self._newest()])

    def check(self, run_id: str, structure: bool = True) -> None:  # noqa: ARG002
        """See `Journal.check`."""
        run = self._run(run_id)
        rows = [task_row(key, state) for key, state in run.tasks.items()]
        compare(run_id, prove(run_id, run.links), run_row(self.record(run_id)), {row[:3]: row for row in rows})

    def examine(self) -> None:
        """See `Journal.examine`."""

    def links(self, run_id: str) -> list[Link]:
        """See `Journal.links`."""
        return list(self._run(run_id).links)

    def entries(self, run_id: str | None = None, after: int = 0) -> list[Entry]:
        """See `Journal.entries`."""
        return [entry for entry in self._entries[after:] if run_id in (None, entry.run)]

    def sign_with(self, signer: Signer) -> None:
        """See `Journal.sign_with`."""
        self._signer = signer

    def sign(self) -> None:
        """See `Journal.sign`."""
        if self._signer is not None and self._entries and self._entries[-1].signature is None:
            self._entries[-1] = self._entries[-1].signed_by(self._signer)

    @property
    def unsigned(self) -> bool:
        """See `Journal.unsigned`."""
        return bool(self._entries) and self._entries[-1].signature is None

    def prune(self, run_id: str, at: float) -> None:
        """See `Journal.prune`."""
        run, record = self._run(run_id), self.record(run_id)
        lookup.refuse_not_over(record)
        self._enter(register.entomb(self._newest_entry(at), record, run.links[-1].hash, at))
        del self._runs[run_id]

    def close(self) -> None:
        """See `Journal.close`."""

    def _newest_entry(self, at: float) -> Entry:
        if not self._entries:
            self._entries.append(register.begin([], at))
        return self._entries[-1]

    def _enter(self, entry: Entry) -> None:
        self._entries.append(entry if self._signer is None else entry.signed_by(self._signer))

    def _run(self, run_id: str) -> _Run:
        try:
            return self._runs[run_id]
        except KeyError:
            raise lookup.unknown(run_id) from None

    def _newest(self) -> list[RunRecord]:
        records = [self.record(run_id) for run_id in reversed(self._runs)]
        return sorted(records, key=lambda record: record.created_at, reverse=True)

    def _refuse_second(self, new: RunRecord) -> None:
        request = RunQuery(request_id=new.request_id, runbook=new.runbook)
        if new.request_id is not None and self.runs(request):
            raise SequenceConflict(
                f"another run of {new.runbook} was started with the request id {new.request_id}", "look at that run"
            )

    def _refuse_held(self, before: RunRecord | None, new: RunRecord) -> None:
        if new.concurrency_group is None or not new.holds_group or (before is not None and before.holds_group):
            return
        if (holder := self.group_holder(new.concurrency_group)) is not None:
            raise lookup.group_held(holder, holder.status)

    def _fold(self, run: _Run, run_id: str, events: Sequence[Event], at: float) -> _Run:
        """What the events add to the run, apart from it: the run stands as it is until all of them are taken."""
        new = _Run(run.record)
        last_hash = run.links[-1].hash if run.links else ORIGIN
        for sequence, event in enumerate(events, len(run.links) + 1):
            link = seal(run_id, last_hash, sequence, at, event)
            (stamped,) = unseal([link])
            key = task_of(stamped.event)
            before = None if key is None else new.tasks.get(key) or run.tasks.get(key)
            new.record, after = apply(new.record, before, stamped.event, at, sequence, run_id)
            if key is not None and after is not None:
                new.tasks[key] = after
            new.links.append(link)
            last_hash = link.hash
        return new


def _matches(record: RunRecord, query: RunQuery) -> bool:
    return (
        (query.statuses is None or record.status in query.statuses)
        and (query.runbook is None or record.runbook == query.runbook)
        and (query.since is None or record.created_at >= query.since)
        and (query.request_id is None or record.request_id == query.request_id)
        and (query.inputs_digest is None or record.inputs_digest == query.inputs_digest)
        and (query.uid is None or record.uid == query.uid)
    )
