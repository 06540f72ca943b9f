"""Reading a command's arguments with typer: its help, and its complaints in durun's words.

typer brings click with it, as its own or as a dependency, depending on the version: so click is never imported, and
its error classes are found from the one that typer exports.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Annotated, Any, get_args

import typer

from durun.cli.arguments import Argument, Parameter, option_names
from durun.cli.screen import width_of_terminal
from durun.errors import UsageError

_COMPLAINT: Any = typer.BadParameter.__mro__[2]
"""The class of every complaint of the parser, from typer 0.24 to 0.28."""

_LEAST = 52
"""Columns of a terminal for which typer makes help by itself; on a narrower one its lines would be broken in two."""


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
    width = width_of_terminal() or _LEAST
    room: dict[str, Any] = {} if width >= _LEAST else {"terminal_width": width - 2}
    try:
        command.main(list(arguments), prog_name=f"durun {name}", standalone_mode=False, **room)
    except _COMPLAINT as complaint:
        raise _usage_error(name, known, complaint) from complaint
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


def _usage_error(name: str, known: Sequence[Parameter], complaint: Any) -> UsageError:
    """The complaint in durun's words; what typer may say beside that stays as it is."""
    from durun.cli import mistaken

    kind, message = type(complaint).__name__, " ".join(complaint.format_message().split()).rstrip(".")
    about = getattr(getattr(complaint, "param", None), "name", None)
    parameter = next((one for one in known if one.name == about), None)
    if kind == "NoSuchOption":
        return mistaken.no_such_option(name, complaint.option_name, complaint.possibilities or ())
    if kind == "BadOptionUsage":
        option = next((one for one in known if complaint.option_name in option_names(one)), None)
        return mistaken.no_value(name, complaint.option_name, option)
    if kind == "MissingParameter" and parameter is not None:
        return mistaken.missing(name, parameter)
    if kind == "BadParameter" and parameter is not None and parameter.kind is int:
        return mistaken.no_number(name, parameter)
    if match := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", message):
        return mistaken.too_much(name, match[1])
    return UsageError(message[:1].lower() + message[1:], f"durun {name} --help")
