"""`durun reject`: somebody says no to what a run waits for."""

from __future__ import annotations

from durun.cli.arguments import JsonOption, NoResumeOption, ReasonOption, RunArgument, StepArgument, TargetOption
from durun.cli.deciding import Word, say
from durun.cli.verdict import require_reason


def command(
    run: RunArgument,
    step: StepArgument = None,
    target: TargetOption = None,
    reason: ReasonOption = "",
    no_resume: NoResumeOption = False,
    as_json: JsonOption = False,
) -> int:
    """Deny what a run waits for: its step fails, and the run ends with exit code 6."""
    require_reason(reason)
    return say(run, step, target, Word("reject", reason), resume=not no_resume, as_json=as_json)
