"""Deciding about another user's run: what is asked is read from their state directory, what is said is left there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from durun.cli.ask import somebody_is_there
from durun.config import answers_to, whoami
from durun.errors import NoSuchRun, NotCounted, UsageError
from durun.model.clock import SystemClock
from durun.model.people import Claim, rule
from durun.sharing.answers import answer
from durun.sharing.places import Shared, shared
from durun.sharing.questions import published
from durun.views.json import SCHEMA, dump
from durun.views.text import task_name

if TYPE_CHECKING:
    from durun.cli.deciding import Word
    from durun.engine.local.asked_of_others import Described


def is_elsewhere(home: Path) -> bool:
    """Whether the state directory is another user's, who shares it with the caller."""
    try:
        return home.stat().st_uid != os.geteuid() and shared(home) is not None
    except OSError:
        return False


def say_elsewhere(home: Path, run: str, step: str | None, target: str | None, word: Word, as_json: bool) -> int:
    """Leave a decision for the owner of the runs, whose next `durun resume` takes it in.

    Raises Unsafe, NoSuchRun, NotAllowed, UsageError; NotCounted for one that the owner will refuse, and that is left
    all the same, to be recorded.
    """
    from durun.cli.deciding import find_question, given_values, show_and_ask

    if word.files:
        raise UsageError("files can't be attached to another user's run", "give them to the owner of the run")
    found = asked_in(home, run)
    run_id = found[0].state.record.id
    key, waiting = find_question(
        run_id, {one.key: one.state.tasks[one.key] for one in found}, word.verdict, step, target
    )
    state = next(one.state for one in found if one.key == key)
    there, now = somebody_is_there() and not as_json, SystemClock().now()
    if there and not show_and_ask(state, key, waiting, word, now):
        sys.stdout.write("nothing was recorded\n")
        return 0
    asked, by = waiting.asked, whoami()
    content = {
        "verdict": word.verdict,
        "reason": word.reason,
        "set": given_values(word, asked["fields"], there)[0] if word.is_yes else [],
        "digest": asked["digest"],
        "by": by,
    }
    answer(Shared(home), run_id, asked["nonce"], content)
    # Of all that, the owner believes what the kernel says.
    names = answers_to(by["uid"], asked.get("approvers", ()))
    claim = Claim(word.verdict, {"uid": by["uid"], "user": by["user"]}, names, asked["nonce"], asked["digest"])
    ruling = rule(waiting, claim, state.created.by, now)
    if ruling.why:
        raise NotCounted(f"this does not count: {ruling.why}", "the owner of the run will find it recorded")
    if as_json:
        line = {"schema": SCHEMA, "event": "decision_left", "run": run_id, "step": key.step, "target": key.target}
        sys.stdout.write(dump({**line, "verdict": word.verdict}))
    else:
        sys.stdout.write(
            f"{task_name(key)} of run {run_id}: left for the owner of the run, whose next resume counts it\n"
        )
    return 0


def asked_in(home: Path, run: str) -> list[Described]:
    """What is asked in the run that is meant: its id, or the beginning of it. Raises NoSuchRun, UsageError, Unsafe."""
    from durun.engine.local.asked_of_others import understood

    asked = published(home)
    names = sorted({question.run for question in asked})
    runs = [name for name in names if name.startswith(run)]
    if not runs:
        hint = f"there is something to decide in: {', '.join(names[:5])}" if names else "nothing is asked of others now"
        raise NoSuchRun(f"nothing is asked in a run {run} of {home}", hint)
    if len(runs) > 1:
        raise UsageError(f"{run} could be {', '.join(runs[:5])}", "give more of the id")
    return [understood(question.content) for question in asked if question.run == runs[0]]
