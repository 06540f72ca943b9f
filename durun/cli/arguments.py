"""What commands take, declared as data, and reading it from the command line.

Plain arguments are read here; whatever else may stand there (help, abbreviated forms, mistakes) is typer's, which
takes as long to load as Python itself and has the last word: a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from durun.errors import UsageError
from durun.model.tuples import NamedTuple


class Option(NamedTuple):
    """An option, beside its type in `Annotated`. Without `long` it is named like its parameter.

    `least`: the smallest number. `shown`: whether help names the default.
    """

    long: str = ""
    short: str = ""
    metavar: str | None = None
    help: str = ""
    least: int | None = None
    shown: bool = True


class Argument(NamedTuple):
    """An argument, beside its type in `Annotated`."""

    metavar: str
    help: str


class Parameter(NamedTuple):
    """One parameter of a command. `hint` is its whole annotation, `kind` the type of one value."""

    name: str
    hint: Any
    declared: Option | Argument
    kind: type
    many: bool
    required: bool
    default: Any


_FILES = frozenset({"runbook", "runbooks", "inputs", "inputs_file", "attach", "output"})
"""Parameters that name files, and inputs, which are refused by their names."""

RunArgument = Annotated[str, Argument("RUN", "The run: its id, the beginning of it, or @last.")]
RunbookOrRun = Annotated[
    str, Argument("RUNBOOK|RUN", "A runbook's file, or a run: its id, the beginning of it, or @last.")
]
JsonOption = Annotated[bool, Option("--json", help="Write JSON, for programs.")]
QuietOption = Annotated[bool, Option("--quiet", "-q", help="Write only what went wrong.")]
ParkOption = Annotated[
    bool, Option("--park", help="Leave the run (exit code 5) rather than wait for a time or its group.")
]
InputOption = Annotated[
    list[str] | None,
    Option("--input", "-i", metavar="NAME=VALUE", help="An input; may be repeated.", shown=False),
]
InputsOption = Annotated[
    str | None, Option("--inputs", metavar="FILE", help="Inputs from a YAML or JSON file; - is stdin.")
]
AcceptEnvOption = Annotated[
    list[str] | None,
    Option(
        "--accept-env",
        metavar="NAME",
        help="A variable, or HOST, UID or HOME, that may differ from the start; may be repeated.",
        shown=False,
    ),
]
ReasonOption = Annotated[str, Option("--reason", metavar="TEXT", help="Why, for the record.", shown=False)]
StepArgument = Annotated[str | None, Argument("[STEP]", "The step; needed where several wait.")]
SetOption = Annotated[
    list[str] | None,
    Option("--set", metavar="NAME=VALUE", help="A value that is asked for; may be repeated.", shown=False),
]
NoResumeOption = Annotated[bool, Option("--no-resume", help="Only record it; `durun resume` goes on later.")]
TargetOption = Annotated[str | None, Option("--target", "-t", metavar="KEY", help="One target of a fan-out.")]


def invoke(name: str, summary: str, function: Callable[..., int], arguments: Sequence[str]) -> int:
    """Read `arguments` for the command `function` and run it; returns its exit code. Raises UsageError."""
    known = parameters(function)
    given = read_plainly(known, arguments)
    if given is None:
        from durun.cli.parser import parse

        given = parse(name, function.__doc__ or summary, known, arguments)
        if given is None:
            return 0
    _refuse_no_text(name, given)
    return function(**given)


def parameters(function: Callable[..., int]) -> list[Parameter]:
    """The parameters of a command, as its signature declares them."""
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    hints = get_type_hints(function, include_extras=True)
    filled = dict(zip(reversed(names), reversed(defaults), strict=False))
    return [_parameter(name, hints[name], name not in filled, filled.get(name)) for name in names]


def _parameter(name: str, hint: Any, required: bool, default: Any) -> Parameter:
    base, declared = get_args(hint)
    if get_origin(base) is not list and (inner := [kind for kind in get_args(base) if kind is not type(None)]):
        base = inner[0]
    many = get_origin(base) is list
    return Parameter(name, hint, declared, get_args(base)[0] if many else base, many, required, default)


def option_names(parameter: Parameter) -> list[str]:
    """The names by which an option is given; none for an argument."""
    if isinstance(parameter.declared, Argument):
        return []
    long = parameter.declared.long or f"--{parameter.name.replace('_', '-')}"
    return [long, parameter.declared.short] if parameter.declared.short else [long]


def read_plainly(known: Sequence[Parameter], arguments: Sequence[str]) -> dict[str, Any] | None:
    """The values for a command, where each word is an argument or the whole name of an option; None: ask typer."""
    options = {name: parameter for parameter in known for name in option_names(parameter)}
    free = [parameter for parameter in known if isinstance(parameter.declared, Argument)]
    found: dict[str, list[str]] = {}
    words, rest = [], list(reversed(arguments))
    while rest:
        word = rest.pop()
        if not word.startswith("-"):
            words.append(word)
            continue
        parameter = options.get(word)
        if parameter is None or (parameter.kind is not bool and not rest):
            return None
        found.setdefault(parameter.name, []).append("" if parameter.kind is bool else rest.pop())
    for place, parameter in enumerate(free):
        taken = words[place:] if parameter.many else words[place : place + 1]
        if taken:
            found[parameter.name] = taken
    if len(words) > len(free) and not (free and free[-1].many):
        return None
    try:
        return {parameter.name: _value(parameter, found.get(parameter.name, [])) for parameter in known}
    except ValueError:
        return None


def _value(parameter: Parameter, words: Sequence[str]) -> Any:
    """What the words say. Raises ValueError for all that is not plain."""
    if not words and not parameter.required:
        return parameter.default
    if not words or (len(words) > 1 and not parameter.many):
        raise ValueError(words)
    if parameter.kind is bool:
        return True
    if not all(words) or any(word.startswith("-") and word != "-" for word in words):
        raise ValueError(words)
    if parameter.many:
        return list(words)
    return _number(parameter, words[0]) if parameter.kind is int else words[0]


def _number(parameter: Parameter, word: str) -> int:
    least = parameter.declared.least if isinstance(parameter.declared, Option) else None
    if not (word.isascii() and word.isdecimal()) or (least is not None and int(word) < least):
        raise ValueError(word)
    return int(word)


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
