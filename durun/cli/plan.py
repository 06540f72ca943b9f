"""`durun plan`: what a runbook would do, or what a run will do now. Runs nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from shlex import quote

from durun.app import App, open_app
from durun.cli.arguments import InputOption, InputsOption, JsonOption, RunbookOrRun
from durun.cli.keyring import open_keyring
from durun.cli.pick import find_run
from durun.cli.screen import width_of_terminal
from durun.cli.sources import given_so_far, is_file, open_source, scope_of
from durun.config import whoami
from durun.engine.local.requirements import may_run
from durun.engine.stored import stored_runbook
from durun.errors import UsageError
from durun.foresight.foresee import Surroundings, of_run, of_runbook
from durun.language.concurrency import group_name
from durun.language.inputs import missing_inputs
from durun.model.people import GROUP, name_of
from durun.model.runbook import Runbook
from durun.model.status import FINAL, spoken
from durun.model.values import Json
from durun.secrets.providers import Resolver
from durun.views.foreseen import Foresight
from durun.views.json import dump
from durun.views.plan import Subject, open_tasks, plan_json, plan_text
from durun.views.summary import next_commands
from durun.views.text import value_text

_CUT = 60


def command(
    what: RunbookOrRun,
    inputs: InputOption = None,
    inputs_file: InputsOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show what a runbook would do, or what a run will do now, and why. Runs nothing.

    Told are also the secrets, commands and people it needs, and what can't be undone.
    """
    with open_app(read_only=True) as app:
        if is_file(what):
            subject, seen = _of_runbook(app, what, inputs or [], inputs_file)
        elif inputs or inputs_file is not None:
            raise UsageError(f"there is no file {what}, and the inputs of a run are fixed", "leave out its inputs")
        else:
            subject, seen = _of_run(app, find_run(app, what))
    sys.stdout.write(dump(plan_json(subject, seen)) if as_json else plan_text(subject, seen, width_of_terminal()))
    return 0


def _of_runbook(app: App, file: str, pairs: list[str], inputs_file: str | None) -> tuple[Subject, Foresight]:
    source = open_source(file)
    runbook = source.runbook
    inputs = given_so_far(runbook, pairs, inputs_file)
    scope = scope_of(runbook, inputs)
    with _around(source.place, os.environ.get("PATH", os.defpath)) as around:
        seen = of_runbook(runbook, inputs, scope, around, app.clock.now())
    lacking = missing_inputs(runbook, inputs)
    against = [f"input `{name}` is not given" for name in lacking]
    against += [*_refusals(runbook), *_nobody_may(seen, whoami())]
    if not lacking and (group := group_name(runbook, inputs, scope["env"])) is not None:
        holder = app.journal.group_holder(group)
        against += [f"run {holder.id} ({spoken(holder.status)}) holds the group `{group}`"] if holder else []
    given = "".join(f" -i {quote(pair)}" for pair in pairs) + (f" --inputs {quote(inputs_file)}" if inputs_file else "")
    secret = [name for name, one in runbook.inputs.items() if one.secret and one.required]
    facts = [
        ("runbook", f"{runbook.name} ({source.file})"),
        ("about", runbook.description),
        ("inputs", _shown(inputs)),
        ("asks for", f"{', '.join(secret)}, without echo" if secret else ""),
        ("would do", open_tasks(seen) + "; nothing was run"),
    ]
    told = {"runbook": runbook.name, "file": source.file, "run": None, "status": None, "inputs": dict(inputs)}
    given += "".join(f" -i {name}=…" for name in lacking)
    return Subject(facts, against, [f"durun run {quote(file)}{given}"], told), seen


def _of_run(app: App, run_id: str) -> tuple[Subject, Foresight]:
    state = app.state(run_id)
    status = app.status(state.record)
    created, record = state.created, state.record
    driven = status in ("running", "pending", "rolling_back")
    next_ = next_commands(run_id, status, state.tasks)
    runbook = stored_runbook(state)
    with _around(created.place, created.surroundings.get("path", os.defpath)) as around:
        seen = of_run(runbook, state, driven, around, app.clock.now())
    over = status in FINAL
    what = "it is being driven" if driven else "it has ended" if over else "told is what a resume would do"
    facts = [
        ("run", run_id),
        ("runbook", f"{record.runbook} ({created.file})"),
        ("status", f"{spoken(status)}; {what}"),
        ("why", record.reason),
        ("inputs", _shown(created.inputs)),
        ("left to do", open_tasks(seen) + "; nothing was run"),
    ]
    told = {"runbook": record.runbook, "file": created.file, "run": run_id, "status": status, "inputs": created.inputs}
    return Subject(facts, [] if over else [*_refusals(runbook), *_nobody_may(seen, created.by)], next_, told), seen


@contextmanager
def _around(place: str, path: str) -> Iterator[Surroundings]:
    with open_keyring() as keyring:
        resolver = Resolver(place, os.environ, keyring)
        try:
            yield Surroundings(place, path, keyring, resolver)
        finally:
            resolver.close()


def _refusals(runbook: Runbook) -> list[str]:
    groups = runbook.requires.groups
    return [] if may_run(groups) else [f"only members of {', '.join(groups)} may run it"]


def _nobody_may(seen: Foresight, by: Mapping[str, Json]) -> Iterator[str]:
    """The approvals that can't be given, because `by`, who starts the run, is one of too few."""
    name = name_of(by)
    for asked in seen.people:
        known = asked.who and not any(who.startswith((GROUP, "${{")) for who in asked.who)
        if known and not asked.allow_requester and len(set(asked.who) - {name}) < asked.needed:
            yield (
                f"step `{asked.step}` can't be approved: {name}, who starts the run, does not count. "
                "Name others, or write `allow_requester: true`"
            )


def _shown(inputs: object) -> str:
    pairs = inputs.items() if isinstance(inputs, dict) else ()
    texts = [f"{name}={value_text(value)}" for name, value in pairs]
    return ", ".join(text if len(text) <= _CUT else text[:_CUT] + "…" for text in texts)
