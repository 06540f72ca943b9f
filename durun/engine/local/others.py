"""What other users of the machine are asked, and what they answered: told in the shared folders, heard from there.

A file of an answer is taken once: what it says is recorded, as counted or as refused, and then the file itself is
kept in the run's folder, where its owner is still the one whom the kernel has told.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from durun.config import answers_to, user_name
from durun.engine.api import DecideRequest
from durun.engine.local.asked_of_others import described
from durun.engine.people import decided
from durun.engine.requests import append_newest
from durun.errors import NotAllowed, StorageFailed, UsageError
from durun.journal.api import Journal
from durun.journal.reading import moment, read_state
from durun.language.fields import given_fields
from durun.model.clock import Clock
from durun.model.event import DecisionRefused, TaskDecided
from durun.model.people import VERDICTS, YES
from durun.model.runbook import Input
from durun.model.state import RunState
from durun.model.status import FINAL
from durun.model.task import TaskKey, TaskState, Verdict
from durun.model.values import Json
from durun.sharing.answers import Answer, Forged, answers, nonce_of
from durun.sharing.places import Shared
from durun.sharing.questions import Question, is_published, publish

KEPT = "answers"
"""The folder, in a run's folder, of the files that were taken."""

_TEXT, _LIST = 10_000, 100
"""Characters of a text, and entries of a list, that are taken from somebody else's file."""
_NAME = 200
"""Bytes of the name of such a file by which it is kept."""


class Others:
    """The shared folders, as far as they are about one run. `exposes`: whether a secret of it stands in something."""

    def __init__(
        self,
        folders: Shared,
        run_folder: Path,
        journal: Journal,
        clock: Clock,
        exposes: Callable[[RunState, Json], bool],
    ) -> None:
        self._folders = folders
        self._run_folder = run_folder
        self._run = run_folder.name
        self._journal = journal
        self._clock = clock
        self._exposes = exposes
        self._told: frozenset[str] | None = None
        self._heard = 0.0

    def attend(self, state: RunState, waits: Iterable[TaskKey], now: float) -> None:
        """While the run is driven: tell what is asked once that changes, and hear once a second. Raises StorageFailed.

        `waits`: the tasks that wait now. What is heard is in the journal then, not in `state`.
        """
        nonces = frozenset(_nonces(state.tasks[key] for key in waits))
        if nonces != self._told:
            self.tell(state)
            self._told = nonces
        if nonces and now - self._heard >= 1.0:
            self._heard = now
            self.hear()

    def visit(self) -> None:
        """While nobody drives the run: hear, and tell what a killed process could not. Raises StorageFailed."""
        self.hear()
        tasks = self._journal.tasks(self._run).values()
        if not all(is_published(self._folders, self._run, nonce) for nonce in _nonces(tasks)):
            self.tell(read_state(self._journal, self._run))

    def tell(self, state: RunState) -> None:
        """Let others see what people are asked in this run now, and nothing else. Raises StorageFailed."""
        questions = [
            Question(self._run, task.waiting.asked["nonce"], described(state, key, task.waiting))
            for key, task in asked_in(state).items()
            if task.waiting is not None
        ]
        publish(self._folders, self._run, questions)

    def hear(self) -> bool:
        """Record what others have answered; whether anything was. Raises StorageFailed."""
        found = answers(self._folders, self._run)
        for one in found:
            self._take(one)
        return bool(found)

    def _take(self, one: Answer | Forged) -> None:
        def made(state: RunState) -> TaskDecided | DecisionRefused:
            if state.record.status in FINAL:
                raise NotAllowed(f"run {self._run} is over", f"durun show {self._run}")
            if isinstance(one, Answer) and self._exposes(state, [one.content]):
                return _unsaid(_meant(state, one), one)
            return _judged(state, one, moment(self._journal, self._clock, state.record))

        if not self._recorded(one.name):
            # Where nothing is left in the run that anybody could be asked, there is nothing to record.
            with contextlib.suppress(NotAllowed):
                append_newest(self._journal, self._clock, self._run, made)
        self._keep(one.name)

    def _recorded(self, name: str) -> bool:
        """Whether a process that was killed just then has recorded it already, and only not kept the file."""
        tasks = self._journal.tasks(self._run).values()
        counted = [said for task in tasks if task.waiting for said in task.waiting.decisions]
        recorded = [said for said in counted if said.by.get("file") == name]
        folder = self._run_folder / KEPT
        kept = folder.iterdir() if folder.exists() else ()
        return len(recorded) > sum(path.name.partition("-")[2] == _kept_as(name) for path in kept)

    def _keep(self, name: str) -> None:
        folder, answer = self._run_folder / KEPT, self._folders.approvals / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            number = len(list(folder.iterdir())) + 1
            if answer.is_dir() and not answer.is_symlink():
                # The folder of another user can be renamed where it is, and not be moved away.
                answer.rename(answer.with_name(f".{os.urandom(4).hex()}-{_kept_as(name)}"))
            else:
                answer.rename(folder / f"{number:04}-{_kept_as(name)}")
        except FileNotFoundError:
            return  # another process of the owner's has just taken it
        except OSError as error:
            raise StorageFailed(f"{folder}: {error.strerror}", "see to the disk, then try again") from error


def _kept_as(name: str) -> str:
    """The name with room for a number before it: somebody else has chosen it, perhaps as long as can be."""
    return os.fsdecode(os.fsencode(name)[:_NAME])


def _nonces(tasks: Iterable[TaskState]) -> list[str]:
    return [task.waiting.asked["nonce"] for task in tasks if task.waiting is not None and task.waiting.asked]


def asked_in(state: RunState) -> Mapping[TaskKey, TaskState]:
    """The tasks that wait for people."""
    return {key: task for key, task in state.tasks.items() if task.waiting is not None and task.waiting.asked}


def _judged(state: RunState, one: Answer | Forged, now: float) -> TaskDecided | DecisionRefused:
    """What is recorded of an answer. Raises NotAllowed where no task is left that it could be about."""
    key = _meant(state, one)
    if isinstance(one, Forged):
        by = {"uid": one.uid, "user": "?" if one.uid is None else user_name(one.uid), "file": one.name}
        return DecisionRefused(**key._asdict(), verdict="approve", by=by, why=f"the file {one.name} {one.why}")
    content = one.content
    waiting = state.tasks[key].waiting
    asked: Json = waiting.asked if waiting is not None else {}
    verdict: Verdict = content.get("verdict", "")
    by = _author(one)
    refused = DecisionRefused(**key._asdict(), verdict="approve", by=by, why="", nonce=nonce_of(one.name))
    if waiting is None or verdict not in VERDICTS.get(waiting.kind, ()):
        return refused._replace(why=f"the file {one.name} holds no such decision")
    fields: Mapping[str, Json] = {}
    if verdict in YES:
        declared = {name: Input(**field) for name, field in asked["fields"].items()}
        try:
            fields = given_fields(_texts(content.get("set")), declared)
        except UsageError as error:
            return refused._replace(why=error.message)
    names = answers_to(one.uid, asked.get("approvers", ()))
    reason, digest = _text(content.get("reason")), _text(content.get("digest"))
    request = DecideRequest(state.record.id, key, verdict, by, names, nonce_of(one.name), digest, reason, fields, ())
    return decided(state, request, now)


def _unsaid(key: TaskKey, one: Answer) -> DecisionRefused:
    """Nothing of an answer in which a secret of the run stands is recorded, but who gave it."""
    by: dict[str, Json] = {"uid": one.uid, "user": user_name(one.uid), "file": one.name}
    why = f"a secret of the run stands in the file {one.name}"
    return DecisionRefused(**key._asdict(), verdict="approve", by=by, why=why, nonce=nonce_of(one.name))


def _meant(state: RunState, one: Answer | Forged) -> TaskKey:
    """The task that an answer is about: that whose question it names, else any that people are asked about."""
    waiting = asked_in(state)
    if not waiting:
        raise NotAllowed(f"nothing in run {state.record.id} waits for people", f"durun show {state.record.id}")
    nonce = nonce_of(one.name)
    for key, task in waiting.items():
        if task.waiting is not None and task.waiting.asked["nonce"] == nonce:
            return key
    return next(iter(waiting))


def _author(one: Answer) -> dict[str, Json]:
    """Who decided: by what the kernel says of the file. What the file itself says of it is recorded as a claim."""
    told = one.content.get("by")
    claims = {name: told.get(name) for name in ("loginuid", "sudo_uid", "tty")} if isinstance(told, dict) else {}
    by: dict[str, Json] = {"uid": one.uid, "user": user_name(one.uid), "file": one.name}
    by["claims"] = {name: value for name, value in claims.items() if isinstance(value, int | str) and value != ""}
    return by | ({"written_by": 0} if one.advisory else {})


def _text(value: Json) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""


def _texts(value: Json) -> list[str]:
    return [_text(one) for one in value[:_LIST]] if isinstance(value, list) else []
