"""`durun complete`: a person has done a step by hand, or could not."""

from __future__ import annotations

from typing import Annotated

from durun.cli.arguments import (
    Argument,
    JsonOption,
    NoResumeOption,
    Option,
    RunArgument,
    SetOption,
    TargetOption,
)
from durun.cli.deciding import Word, say
from durun.errors import UsageError


def command(
    run: RunArgument,
    step: Annotated[str, Argument(metavar="STEP", help="The step that was done by hand.")],
    target: TargetOption = None,
    note: Annotated[str, Option("--note", metavar="TEXT", help="What was done, for the record.", shown=False)] = "",
    values: SetOption = None,
    attach: Annotated[
        list[str] | None,
        Option("--attach", metavar="FILE", help="Keep a copy of this file with the run.", shown=False),
    ] = None,
    failed: Annotated[bool, Option("--failed", help="It could not be done.")] = False,
    no_resume: NoResumeOption = False,
    as_json: JsonOption = False,
) -> int:
    """Say that a step was done by hand, and go on with the run."""
    if not note.strip():
        raise UsageError("a note is missing", 'say what was done: --note "…"')
    if failed and values:
        raise UsageError("--set and --failed exclude each other", "a step that could not be done gives no values")
    word = Word("fail" if failed else "complete", note, tuple(values or ()), tuple(attach or ()))
    return say(run, step, target, word, resume=not no_resume, as_json=as_json)
