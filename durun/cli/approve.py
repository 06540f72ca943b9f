"""`durun approve`: somebody says yes to what a run waits for."""

from __future__ import annotations

from durun.cli.arguments import (
    JsonOption,
    NoResumeOption,
    ReasonOption,
    RunArgument,
    SetOption,
    StepArgument,
    TargetOption,
)
from durun.cli.deciding import Word, say


def command(
    run: RunArgument,
    step: StepArgument = None,
    target: TargetOption = None,
    reason: ReasonOption = "",
    values: SetOption = None,
    no_resume: NoResumeOption = False,
    as_json: JsonOption = False,
) -> int:
    """Approve what a run waits for, and go on with it."""
    word = Word("approve", reason, tuple(values or ()))
    return say(run, step, target, word, resume=not no_resume, as_json=as_json)
