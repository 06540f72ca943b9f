"""What `approve`, `reject` and `complete` share: which question is meant, what is recorded, and how the run goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durun.app import App, open_app
from durun.cli.ask import confirm, somebody_is_there
from durun.cli.chosen import known_step
from durun.cli.deciding_elsewhere import is_elsewhere, say_elsewhere
from durun.cli.drive import Manner, choose_view, drive
from durun.cli.pick import find_run
from durun.cli.screen import width_of_terminal
from durun.cli.verdict import decide
from durun.config import answers_to, load_config, whoami
from durun.engine.api import DecideRequest, ResumeRequest
from durun.errors import Busy, NotAllowed, UsageError, first_of
from durun.journal.reading import moment
from durun.model.people import VERDICTS, YES, conclusion, person
from durun.model.runbook import Input
from durun.model.state import RunState
from durun.model.status import ENDED
from durun.model.task import TaskKey, TaskState, Verdict, Waiting
from durun.model.values import Json
from durun.views.json import dump
from durun.views.people import decision_json, fields_text, progress_text, questions
from durun.views.text import task_name


class Word(NamedTuple):
    """What somebody says: the verdict, why, the values and the files that go with it."""

    verdict: Verdict
    reason: str
    pairs: Sequence[str] = ()
    files: Sequence[str] = ()

    @property
    def is_yes(self) -> bool:
        """Whether values go with it."""
        return self.verdict in YES


def say(
    run: str, step: str | None, target: str | None, word: Word, *, resume: bool = True, as_json: bool = False
) -> int:
    """Record a decision, and go on with the run where no more is waited for.

    Raises NotCounted, NotAllowed, UsageError, and what a resume raises.
    """
    home = load_config(os.environ).home
    if is_elsewhere(home):
        return say_elsewhere(home, run, step, target, word, as_json)
    with open_app() as app:
        run_id = find_run(app, run, changes=True)
        app.hear(run_id)
        tasks = app.journal.tasks(run_id)
        with known_step(app, run_id, tasks, step):
            key, waiting = find_question(run_id, tasks, word.verdict, step, target)
        asked = waiting.asked
        there = somebody_is_there() and not as_json
        if there and not show_and_ask(app.state(run_id), key, waiting, word, app.clock.now()):
            sys.stdout.write("nothing was recorded\n")
            return 0
        fields = given_values(word, asked["fields"], there)[1] if word.is_yes else {}
        by = whoami()
        names = answers_to(person(by), asked.get("approvers", ()))
        files = app.keep_attachments(run_id, word.files) if word.files else ()
        request = DecideRequest(
            run_id, key, word.verdict, by, names, asked["nonce"], asked["digest"], word.reason, fields, files
        )
        decide(app, as_json, lambda observer: app.engine().signal(request, observer))
        return _recorded(app, request, resume, as_json)


def _recorded(app: App, request: DecideRequest, resume: bool, as_json: bool) -> int:
    """Tell what was recorded, and go on where there is nothing more to wait for. Returns the exit code."""
    task = app.journal.tasks(request.run_id)[request.task]
    waiting, run_id = task.waiting, request.run_id
    if as_json:
        sys.stdout.write(dump(decision_json(run_id, request.task, request.verdict, waiting)))
    else:
        sys.stdout.write(_told(request, waiting))
    sys.stdout.flush()
    record = app.journal.record(run_id)
    if waiting is not None and conclusion(waiting, moment(app.journal, app.clock, record)) is None:
        return 0
    if record.status in ENDED or not resume:
        _hint(f"next: durun resume {run_id}", as_json or record.status == "succeeded")
        return 0
    holder = app.holder(run_id)
    if holder is not None or waiting is None:
        _hint(f"process {(holder or {}).get('pid', '?')} goes on with the run", as_json)
        return 0
    try:
        view = choose_view(app, Manner(as_json))
        resumed = ResumeRequest(run_id, request.by, fresh=False)
        return drive(view, lambda observer: app.engine().resume(resumed, observer))
    except Busy:
        return 0  # somebody else has just taken it up, and finds what was recorded


def _told(request: DecideRequest, waiting: Waiting | None) -> str:
    """`run k3…, step ok: approved (1 of 2 approvals)`."""
    word = {"approve": "approved", "reject": "denied", "complete": "done", "fail": "not done"}[request.verdict]
    so_far = f" ({progress_text(waiting)})" if waiting is not None and request.verdict == "approve" else ""
    lines = [f"run {request.run_id}, step {task_name(request.task)}: {word}{so_far}"]
    said = waiting.decisions[-1:] if waiting is not None else ()
    lines += (f"  advisory: {one.advisory}" for one in said if one.advisory)
    return "".join(f"{line}\n" for line in lines)


def _hint(text: str, silent: bool) -> None:
    if not silent:
        sys.stdout.write(f"  {text}\n")


def find_question(
    run_id: str, tasks: Mapping[TaskKey, TaskState], verdict: Verdict, step: str | None, target: str | None
) -> tuple[TaskKey, Waiting]:
    """The task that is meant, and what it waits for. Raises NotAllowed (none), UsageError (more than one)."""
    asked = [(key, waiting) for key, waiting in questions(tasks) if verdict in VERDICTS.get(waiting.kind, ())]
    found = [one for one in asked if step in (None, one[0].step) and target in (None, one[0].target)]
    if len(found) == 1:
        return found[0]
    command = {"approve": "approve", "reject": "reject"}.get(verdict, "complete")
    names = first_of(task_name(key) for key, _ in found or asked)
    if found:
        raise UsageError(
            f"{len(found)} wait for that: {names}", f"name one: durun {command} {run_id} STEP [--target KEY]"
        )
    if step is None:
        message = f"nothing in run {run_id} waits for `durun {command}`"
    else:
        message = f"{task_name(TaskKey(step, target))} does not wait for `durun {command}`"
    raise NotAllowed(
        message, f"what does wait for it: {names}" if asked else f"`durun show {run_id}` says where the run stands"
    )


def show_and_ask(state: RunState, key: TaskKey, waiting: Waiting, word: Word, now: float) -> bool:
    """Show what it is about, and ask whether it is meant."""
    from durun.engine.stored import stored_runbook
    from durun.views.ahead import ahead_text

    verb = {"approve": "Approve", "reject": "Deny", "complete": "Is it done", "fail": "Can it not be done"}
    sys.stdout.write(ahead_text(state, stored_runbook(state), key, waiting, now, width_of_terminal()))
    return confirm(f"{verb[word.verdict]}? [y/N] ")


def given_values(word: Word, declared: Mapping[str, Json], there: bool) -> tuple[list[str], dict[str, Json]]:
    """The values as `NAME=VALUE`: those given, and on a terminal those that are asked for; and what they are.

    Raises UsageError with every problem.
    """
    from durun.language.fields import given_fields

    fields = {name: Input(**field) for name, field in declared.items()}
    given = {pair.partition("=")[0] for pair in word.pairs}
    asked = [name for name, field in fields.items() if field.required and name not in given] if there else []
    told = dict(zip(fields, fields_text(declared), strict=True))
    pairs = list(word.pairs)
    for name in asked:
        sys.stdout.write(f"{told[name]}: ")
        sys.stdout.flush()
        pairs.append(f"{name}={sys.stdin.readline().rstrip(chr(10))}")
    return pairs, given_fields(pairs, fields)
