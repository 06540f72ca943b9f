"""`durun settle`: an operator ends a doubt, with a reason that is kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from durun.app import App, open_app
from durun.cli.arguments import Argument, JsonOption, Option, ReasonOption, RunArgument, TargetOption
from durun.cli.ask import ask_secret, somebody_is_there
from durun.cli.chosen import known_step
from durun.cli.pick import find_run
from durun.cli.verdict import decide, require_reason, verdict_text
from durun.config import whoami
from durun.engine.api import SettleRequest
from durun.errors import NotAllowed, UsageError, first_of
from durun.model.event import Resolution
from durun.model.runbook import Output
from durun.model.status import spoken
from durun.model.task import TaskKey, TaskState
from durun.model.values import Json
from durun.views.json import SCHEMA, dump
from durun.views.summary import next_commands
from durun.views.text import task_name


def command(
    run: RunArgument,
    step: Annotated[str, Argument(metavar="STEP", help="The step that is in doubt.")],
    target: TargetOption = None,
    done: Annotated[bool, Option("--done", help="It was done: it is not run again.")] = False,
    not_done: Annotated[bool, Option("--not-done", help="It was not done: it is run again.")] = False,
    failed: Annotated[bool, Option("--failed", help="It failed.")] = False,
    reason: ReasonOption = "",
    output: Annotated[
        list[str] | None,
        Option("--output", metavar="NAME=VALUE", help="With --done: an output of the step.", shown=False),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """End a doubt: say whether a task in doubt was done."""
    resolution = _resolution(done, not_done, failed)
    require_reason(reason)
    if output and resolution != "done":
        raise UsageError("outputs go with --done only", "a step that is not done has none")
    with open_app() as app:
        run_id = find_run(app, run, changes=True)
        tasks = app.journal.tasks(run_id)
        with known_step(app, run_id, tasks, step):
            key = find_doubt(run_id, tasks, step, target)
        given = read_outputs(app, run_id, key, output or ()) if resolution == "done" else Outputs({}, {})
        request = SettleRequest(run_id, key, resolution, reason, whoami(), *given)
        outcome = decide(app, as_json, lambda observer: app.engine().signal(request, observer))
        tasks = app.journal.tasks(run_id)
    if as_json:
        line = {"schema": SCHEMA, "event": "task_settled", "run": run_id, "step": key.step, "target": key.target}
        sys.stdout.write(dump({**line, "resolution": resolution, "status": outcome.status}))
        return 0
    doubts = any(task.status == "in_doubt" for task in tasks.values())
    commands = next_commands(run_id, "in_doubt" if doubts else "interrupted", tasks)
    ended = outcome.status == "cancelled" or outcome.driver == "other"
    said = f"{task_name(key)} of run {run_id} is settled: {spoken(resolution)}"
    sys.stdout.write(verdict_text(said, () if ended else commands))
    return 0


def _resolution(done: bool, not_done: bool, failed: bool) -> Resolution:
    if done + not_done + failed != 1:
        raise UsageError("say exactly one of --done, --not-done, --failed", "durun settle --help")
    return "done" if done else "not_done" if not_done else "failed"


def find_doubt(run_id: str, tasks: Mapping[TaskKey, TaskState], step: str, target: str | None) -> TaskKey:
    """The task in doubt that is meant. Raises NotAllowed (none is), UsageError (more than one)."""
    doubts = [key for key, task in tasks.items() if task.status == "in_doubt"]
    found = [key for key in doubts if key.step == step and target in (None, key.target)]
    if len(found) == 1:
        return found[0]
    if found:
        names = first_of(key.target for key in found)
        raise UsageError(f"{len(found)} targets of {step} are in doubt: {names}", "choose one with --target")
    names = first_of(map(task_name, doubts))
    hint = (
        f"in doubt are: {names}" if doubts else f"nothing is in doubt: `durun show {run_id}` says where the run stands"
    )
    raise NotAllowed(f"{task_name(TaskKey(step, target))} is not in doubt", hint)


class Outputs(NamedTuple):
    """What an operator gives: the plain outputs, and the secret ones."""

    plain: Mapping[str, Json]
    secret: Mapping[str, Json]


def read_outputs(app: App, run_id: str, key: TaskKey, pairs: Sequence[str]) -> Outputs:
    """The outputs given, by the step's declarations. Raises UsageError for one that is unknown, missing or wrong."""
    from durun.language.outputs import OutputError, output_from_text

    declared = _declared(app, run_id, key.step)
    values: dict[str, Json] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if name not in declared or not (equals or declared[name].secret):
            known = ", ".join(declared) or "none"
            raise UsageError(f"`{name}` is not an output of {key.step}", f"--output NAME=VALUE; its outputs: {known}")
        if declared[name].secret:
            text = _secret_text(name, given=bool(equals))
        try:
            values[name] = output_from_text(name, declared[name], text)
        except OutputError as error:
            raise UsageError(error.message, "only outputs of type string are taken as they are, else JSON") from error
    if missing := [name for name in declared if name not in values]:
        wanted = " ".join(f"--output {name}" + ("" if declared[name].secret else "=…") for name in missing)
        raise UsageError(f"a step that is done has all of its outputs; {key.step} lacks {', '.join(missing)}", wanted)
    secret = {name: value for name, value in values.items() if declared[name].secret}
    return Outputs({name: value for name, value in values.items() if name not in secret}, secret)


def _secret_text(name: str, *, given: bool) -> str:
    """The value of a secret output: asked for without echo on a terminal, else a line of stdin. Raises UsageError."""
    if given:
        hint = f"write --output {name}: its value is asked for, or read from stdin"
        raise UsageError(f"output `{name}` is secret: its value is not taken from the command line", hint)
    if somebody_is_there():
        return ask_secret(f"{name}: ", "give it on stdin")
    line = sys.stdin.readline()
    if not line:
        raise UsageError(f"stdin has no value for output `{name}`", "one line for each secret output, in their order")
    return line.removesuffix("\n")


def _declared(app: App, run_id: str, step: str) -> Mapping[str, Output]:
    """The outputs that the step declares in the runbook of the run."""
    from durun.engine.stored import runbook_of

    runbook = runbook_of(app.created(run_id))
    return next((found.outputs for found in runbook.every_step() if found.id == step), {})
