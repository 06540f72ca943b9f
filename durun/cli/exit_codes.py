"""The exit codes of durun: a contract. The table in `durun/README.md` is made from here and from `durun.errors`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from durun.cli.screen import INTERNAL_ERROR, INTERRUPTED
from durun.errors import DurunError
from durun.model.status import ENDED, RunStatus
from durun.model.task import RunRecord

IN_DOUBT = 3
TERMINATED = 143
LEFT = (INTERRUPTED, TERMINATED)
"""The runner left at a signal, and what runs goes on."""
DRIVEN_ELSEWHERE = 11

_OF_RUNS: dict[int, str] = {
    0: "The run succeeded; or there was nothing to do; or `durun rollback` undid all.",
    1: "A step failed; the run can be resumed, unless it was rolled back.",
    IN_DOUBT: "In doubt: an operator must settle.",
    5: "The run waits for a person or a time.",
    6: "Denied, or expired.",
    12: "The run was cancelled.",
    INTERRUPTED: "Interrupted by INT; running steps go on and `resume` adopts them.",
    TERMINATED: "Interrupted by TERM; running steps go on and `resume` adopts them.",
    INTERNAL_ERROR: "A bug in durun; the details are in `errors/` of the state directory.",
}

_PRECEDENCE = (INTERNAL_ERROR, 8, 7, 13, *LEFT, IN_DOUBT, 9, 4, 6, 1, 10, DRIVEN_ELSEWHERE, 2, 12, 5, 0)
"""Of several exit codes, the first in this list."""

_BY_STATUS: dict[RunStatus, int] = {
    "succeeded": 0,
    "cancelled": 12,
    "in_doubt": IN_DOUBT,
    "waiting": 5,
    "interrupted": INTERRUPTED,
    "pending": DRIVEN_ELSEWHERE,
    "running": DRIVEN_ELSEWHERE,
    "rolling_back": DRIVEN_ELSEWHERE,
}


def standing_code(record: RunRecord, status: RunStatus) -> int:
    """The exit code for a run that is only looked at: the one it ended with, or the one it would be left with now."""
    if status in ENDED and record.exit_code is not None:
        return record.exit_code
    return _BY_STATUS.get(status, 1)


def worst(codes: Sequence[int]) -> int:
    """Of several exit codes the one that says most; 0 for none."""
    unknown = [code for code in codes if code not in _PRECEDENCE]
    return unknown[0] if unknown else min(codes, key=_PRECEDENCE.index, default=0)


def meanings() -> list[tuple[int, str]]:
    """Every exit code and what it means: of a run first, else of the errors that end with it."""
    found = dict(_OF_RUNS)
    for error in _errors(DurunError):
        if error.exit_code not in _OF_RUNS:
            found[error.exit_code] = " ".join(part for part in (found.get(error.exit_code), _meaning(error)) if part)
    return sorted(found.items())


def table() -> str:
    """All exit codes as a Markdown table: those of runs, and those of errors with their codes."""
    from durun.language import outputs, plain, targets

    rows = [(code, "`internal_error`" if code == INTERNAL_ERROR else "", text) for code, text in _OF_RUNS.items()]
    of_steps = (outputs.OutputError, plain.ExpressionError, targets.TargetError)
    rows += [(error.exit_code, f"`{error.code}`", f"A step failed: {_meaning(error)}") for error in of_steps]
    rows += [(error.exit_code, f"`{error.code}`", _meaning(error)) for error in _errors(DurunError)]
    lines = ["| exit code | error code | meaning |", "|---|---|---|"]
    lines += [f"| {code} | {word} | {text} |" for code, word, text in sorted(rows)]
    return "\n".join(lines) + "\n"


def _errors(base: type[DurunError]) -> Iterator[type[DurunError]]:
    for error in base.__subclasses__():
        if error.__module__ == DurunError.__module__:
            yield error
        yield from _errors(error)


def _meaning(error: type[DurunError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0]
