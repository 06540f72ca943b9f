"""Reading a command's arguments with typer: its help, and its complaints in durun's words.

typer brings click with it, as its own or as a dependency, depending on the version: so click is never imported, and
its error classes are found from the one that typer exports.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Annotated, Any, get_args

import typer

from durun.cli.arguments import Argument, Parameter, option_names
from durun.errors import UsageError

_COMPLAINT: Any = typer.BadParameter.__mro__[2]
"""The class of every complaint of the parser, from typer 0.24 to 0.28."""


def parse(name: str, text: str, known: Sequence[Parameter], arguments: Sequence[str]) -> dict[str, Any] | None:
    """The values for the command; None when help was printed. `text` is what help says. Raises UsageError.

    The command itself is run outside of typer, which has answers of its own to broken pipes and Ctrl-C.
    """
    given: dict[str, Any] | None = None

    def note(**values: Any) -> None:
        nonlocal given
        given = values

    note.__signature__ = inspect.Signature([_described(parameter) for parameter in known])  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, help=text)(note)
    command = typer.main.get_command(app)
    try:
        command.main(list(arguments), prog_name=f"durun {name}", standalone_mode=False)
    except _COMPLAINT as complaint:
        raise _usage_error(name, complaint) from complaint
    return given


def _described(parameter: Parameter) -> inspect.Parameter:
    """The parameter in typer's words."""
    declared, names = parameter.declared, option_names(parameter)
    told: Any
    if isinstance(declared, Argument):
        told = typer.Argument(metavar=declared.metavar, help=declared.help)
    else:
        told = typer.Option(
            *names, metavar=declared.metavar, help=declared.help, min=declared.least, show_default=declared.shown
        )
    base = get_args(parameter.hint)[0]
    default = inspect.Parameter.empty if parameter.required else parameter.default
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(parameter.name, kind, default=default, annotation=Annotated[base, told])


def _usage_error(name: str, complaint: Any) -> UsageError:
    message = str(complaint.message if hasattr(complaint, "possibilities") else complaint.format_message())
    message = " ".join(message.split()).rstrip(".")
    near = getattr(complaint, "possibilities", None)
    hint = f"did you mean {' or '.join(sorted(near))}?  " if near else ""
    return UsageError(message[:1].lower() + message[1:], f"{hint}durun {name} --help")
