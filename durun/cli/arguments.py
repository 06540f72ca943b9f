"""Parsing one command's arguments with typer, and its complaints in durun's words.

typer brings click with it, as its own or as a dependency, depending on the version: so click is never imported, and
its error classes are found from the one that typer exports.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from durun.errors import UsageError

_COMPLAINT: Any = typer.BadParameter.__mro__[2]
"""The class of every complaint of the parser, from typer 0.24 to 0.28."""

_FILES = frozenset({"runbook", "runbooks", "inputs", "inputs_file"})
"""Parameters that name files, and inputs, which are refused by their names."""

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run: its id, the beginning of it, or @last.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Write only what went wrong.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record.", show_default=False)]
TargetOption = Annotated[str | None, typer.Option("--target", "-t", metavar="KEY", help="One target of a fan-out.")]


def invoke(name: str, summary: str, function: Callable[..., int], arguments: Sequence[str]) -> int:
    """Parse `arguments` for the command `function` and run it; returns its exit code. Raises UsageError."""
    given = _parse(name, summary, function, arguments)
    if given is None:
        return 0
    _refuse_no_text(name, given)
    return function(**given)


def _refuse_no_text(command: str, given: Mapping[str, Any]) -> None:
    """Bytes that are no text are fine in the name of a file, and nowhere else: all else is kept in the journal."""
    for name, value in given.items():
        if name in _FILES:
            continue
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and any("\ud800" <= character <= "\udfff" for character in word):
                raise UsageError(
                    f"the value for {name.replace('_', ' ')} is not text in UTF-8", f"durun {command} --help"
                )


def _parse(name: str, summary: str, function: Callable[..., int], arguments: Sequence[str]) -> dict[str, Any] | None:
    """The keyword arguments for `function`; None when help was printed.

    The command itself is run outside of typer, which has answers of its own to broken pipes and Ctrl-C.
    """
    given: dict[str, Any] | None = None

    @functools.wraps(function)
    def note(**values: Any) -> None:
        nonlocal given
        given = values

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, help=function.__doc__ or summary)(note)
    command = typer.main.get_command(app)
    try:
        command.main(list(arguments), prog_name=f"durun {name}", standalone_mode=False)
    except _COMPLAINT as complaint:
        raise _usage_error(name, complaint) from complaint
    return given


def _usage_error(name: str, complaint: Any) -> UsageError:
    message = str(complaint.message if hasattr(complaint, "possibilities") else complaint.format_message())
    message = " ".join(message.split()).rstrip(".")
    near = getattr(complaint, "possibilities", None)
    hint = f"did you mean {' or '.join(sorted(near))}?  " if near else ""
    return UsageError(message[:1].lower() + message[1:], f"{hint}durun {name} --help")
