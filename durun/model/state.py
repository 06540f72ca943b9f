"""The whole state of one run: what its events fold to, held in memory while it is driven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from durun.model import event as ev
from durun.model.apply import apply, task_of
from durun.model.event import Event, Stamped
from durun.model.slotted import Fixed, Slotted
from durun.model.status import NOTABLE, TaskStatus
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.values import Json

LANDMARKS = (
    "run_created",
    "session_started",
    "targets_resolved",
    "runbook_changed",
    "plugins_changed",
    "surroundings_accepted",
    "seals_destroyed",
    "run_ended",
)
"""The events that say more than the record and the tasks do."""


def notable(tasks: Mapping[TaskKey, TaskState]) -> list[tuple[TaskKey, TaskState]]:
    """The tasks that explain where a run stands: of each step the first that failed, is in doubt, waits, or runs.

    Oldest change first.
    """
    first: dict[tuple[str, int, TaskStatus], tuple[TaskKey, TaskState]] = {}
    found = ((key, task) for key, task in tasks.items() if task.status in NOTABLE)
    for key, task in sorted(found, key=_since):
        first.setdefault((key.step, key.round, task.status), (key, task))
    return list(first.values())


def _since(found: tuple[TaskKey, TaskState]) -> tuple[float, str, str]:
    key, task = found
    return task.changed_at, key.step, key.target or ""


class Resolved(Fixed):
    """The fixed targets of a fan-out: key → value, in order. `skipped`: its `if` was false.

    `sealed`: the seal of their secret fields, if they have such. `approval`: whose approvers decide once more.
    """

    __slots__ = ("index", "skipped", "sealed", "approval")  # noqa: RUF023  (in the order of __init__)
    index: Mapping[str, Json]
    skipped: bool
    sealed: Json
    approval: str

    def __init__(
        self, index: Mapping[str, Json], skipped: bool = False, sealed: Json = None, approval: str = ""
    ) -> None:
        super().__init__(index, skipped, sealed, approval)


class RunState(Slotted):
    """The record, every task that anything has happened to, and the landmarks.

    It is changed only by `fold`, in place: with 100,000 tasks a copy per event would cost too much.
    `created` keeps the newest runbook of the run, should it have been changed. `destroyed`: what had been sealed when
    the run succeeded is gone. `standing`: of one that was rolled back, the tasks whose effects are left.
    """

    __slots__ = ("accepted", "created", "destroyed", "record", "resolved", "sessions", "standing", "tasks")

    def __init__(
        self,
        record: RunRecord,
        created: ev.RunCreated,
        tasks: dict[TaskKey, TaskState] | None = None,
        resolved: dict[tuple[str, int], Resolved] | None = None,
        sessions: dict[int, ev.SessionStarted] | None = None,
        accepted: set[str] | None = None,
        destroyed: bool = False,
        standing: tuple[TaskKey, ...] = (),
    ) -> None:
        self.record = record
        self.created = created
        self.tasks = {} if tasks is None else tasks
        self.resolved = {} if resolved is None else resolved
        self.sessions = {} if sessions is None else sessions
        self.accepted = set() if accepted is None else accepted
        self.destroyed = destroyed
        self.standing = standing

    @classmethod
    def begin(cls, run_id: str, first: Stamped) -> RunState:
        """The state after the first event, which is `RunCreated`."""
        if not isinstance(first.event, ev.RunCreated):
            raise ValueError("the first event of a run is run_created")
        record, _ = apply(None, None, first.event, first.at, first.sequence, run_id)
        return cls(record, first.event)

    @classmethod
    def from_projection(
        cls, record: RunRecord, tasks: dict[TaskKey, TaskState], landmarks: Iterable[Stamped]
    ) -> RunState:
        """The state as the journal's projections and its landmark events (`LANDMARKS`, in order) say it."""
        first, *rest = landmarks
        if not isinstance(first.event, ev.RunCreated):
            raise ValueError("the first event of a run is run_created")
        state = cls(record, first.event, tasks)
        for stamped in rest:
            state._note(stamped.event)
        return state

    def replace_with(self, other: RunState) -> None:
        """Become the other state, in place, for those who hold this one."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def fold(self, stamped: Stamped) -> TaskKey | None:
        """Take the next event in; returns the task that it was about."""
        key = task_of(stamped.event)
        before = self.tasks.get(key) if key is not None else None
        self.record, after = apply(self.record, before, stamped.event, stamped.at, stamped.sequence, self.record.id)
        if key is not None and after is not None:
            self.tasks[key] = after
        self._note(stamped.event)
        return key

    def _note(self, event: Event) -> None:
        match event:
            case ev.SessionStarted():
                self.sessions[event.session] = event
            case ev.TargetsResolved():
                self.resolved[event.step, event.round] = Resolved(
                    dict(event.targets), event.skipped, event.sealed, event.approval
                )
            case ev.SurroundingsAccepted():
                self.accepted.update(event.names)
            case ev.RunEnded():
                self.standing = tuple(TaskKey(str(step), target) for step, target in event.standing)
            case ev.SealsDestroyed():
                self.destroyed = True
            case ev.RunbookChanged():
                surroundings = {**self.created.surroundings, "env": {**self.created.surroundings["env"], **event.env}}
                self.created = self.created._replace(
                    digest=event.digest,
                    text=event.text,
                    file=event.file,
                    place=event.place,
                    files=event.files,
                    files_folder=event.files_folder,
                    steps=event.steps,
                    finally_steps=event.finally_steps,
                    included=event.included,
                    plugins=event.plugins,
                    surroundings=surroundings,
                )
            case ev.PluginsChanged():
                self.created = self.created._replace(plugins=event.plugins)
            case _:
                pass
