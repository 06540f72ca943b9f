"""`durun man`: the manual pages, from the table of commands and their declarations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Annotated

from durun import __version__
from durun.cli.arguments import Argument, Option, Parameter, option_names, parameters
from durun.cli.commands import COMMANDS, GROUPS
from durun.cli.exit_codes import meanings
from durun.cli.roff import head, listed, text
from durun.errors import UsageError

AS_IT_STANDS = "\b"
"""The first line of a paragraph of help whose lines are kept; typer's sign for it."""

_ABOUT = """\
Runs operational runbooks that survive crashes. A runbook is one YAML file; each of its steps is recorded before it
begins and when it ends, so that a run which was killed goes on where it was with durun resume, and nothing is done
twice."""

_EXAMPLES = (
    ("durun new rotate-passwords", "Write a first runbook, rotate-passwords.yaml."),
    ("durun plan rotate-passwords.yaml", "What it would do, step by step; runs nothing."),
    ("durun run rotate-passwords.yaml -i region=eu", "Run it."),
    ("durun resume", "Go on with it after a crash, a kill -9 or a reboot."),
    ("durun show @last", "How the newest run stands, what it waits for, and what to type."),
    ("durun logs @last STEP -f", "What a step writes."),
)

_FILES = (
    ("$DURUN_HOME", "The state directory; else $XDG_STATE_HOME/durun, else ~/.local/state/durun."),
    ("journal.db", "In it: what was done, when, and by whom."),
    ("runs/ID/", "In it: what a run wrote, its evidence, and the copies of its helper files."),
    ("seal.key, sign.key", "In it: the keys to which secrets are sealed and that sign, if no keyring has them."),
    ("requests/, approvals/", "In it: what other users are asked and answer, after durun doctor --share."),
    ("errors/", "In it: the details of bugs in durun (exit code 70)."),
)

_VARIABLES = (
    ("DURUN_HOME", "Where the state lies; for cron a whole path, or one that begins with ~/."),
    ("DURUN_LAST_OK", "1: @last may be named off a terminal by commands that decide."),
    ("DURUN_NOTIFY_TIMEOUT", "Seconds that telling somebody may take (30)."),
    ("DURUN_STOP_GRACE", "Seconds between INT, TERM and KILL when a step is stopped (5)."),
    ("DURUN_SYSLOG", "Another socket than /dev/log for the head of a run that ends; empty: none."),
    ("DURUN_TSA", "The URL of an authority that stamps heads with the time (RFC 3161)."),
    ("DURUN_TSA_TIMEOUT", "Seconds that it gets (30)."),
    ("CREDENTIALS_DIRECTORY", "Of systemd: where secrets from a file, and durun's own keys, are looked for first."),
    ("NO_COLOR", "Set: no colours."),
    ("XDG_STATE_HOME", "Where the state lies, if DURUN_HOME is not set."),
)


PAGES = ("durun", "runbook")


def command(
    which: Annotated[str, Argument("[PAGE]", "durun: the commands; runbook: what may stand in a runbook.")] = "durun",
) -> int:
    """Print a manual page in roff.

    \b
    To read it: durun man | man -l -
    To keep it: durun man > ~/.local/share/man/man1/durun.1
                durun man runbook > ~/.local/share/man/man5/durun-runbook.5
    """
    if which not in PAGES:
        raise UsageError(f"there is no page `{which}`", f"one of {', '.join(PAGES)}")
    if which == "runbook":
        from durun.cli.man_runbook import page as written
    else:
        written = page
    sys.stdout.write(written())
    return 0


def page() -> str:
    """The page of the commands."""
    lines = head("durun", 1, __version__, "User Commands", "runbooks that survive crashes")
    lines += [".SH SYNOPSIS", ".B durun", ".I COMMAND", "[\\fIARGUMENTS\\fR]\\&...", ".SH DESCRIPTION", text(_ABOUT)]
    for group, title in GROUPS.items():
        names = [name for name in COMMANDS if COMMANDS[name].group == group]
        if names:
            lines.append(f'.SH "{title.upper()}"')
        for name in names:
            lines += _command(name, import_module(f"durun.cli.{COMMANDS[name].module}").command)
    lines += [".SH EXIT STATUS", *listed((str(code), text) for code, text in meanings())]
    lines += [".SH EXAMPLES", *listed(_EXAMPLES)]
    lines += [".SH ENVIRONMENT", *listed(_VARIABLES), ".SH FILES", *listed(_FILES)]
    lines += [".SH SEE ALSO", ".BR durun\\-runbook (5)"]
    return "\n".join(lines) + "\n"


def _command(name: str, function: Callable[..., int]) -> Iterator[str]:
    known = parameters(function)
    free = " ".join(_argument(one) for one in known if isinstance(one.declared, Argument))
    options = [one for one in known if isinstance(one.declared, Option)]
    yield f'.SS "durun {name}{f" {text(free)}" if free else ""}{" [OPTIONS]" if options else ""}"'
    for number, part in enumerate((function.__doc__ or COMMANDS[name].summary).split("\n\n")):
        first, *rest = [text(line.strip()) for line in part.strip().splitlines()]
        yield from [".PP"] if number else []
        yield from [".nf", *rest, ".fi"] if first == AS_IT_STANDS else [first, *rest]
    words = [one for one in known if isinstance(one.declared, Argument)]
    yield from listed((_argument(one).strip("[]"), one.declared.help) for one in words)
    yield from listed((_option(one), one.declared.help) for one in options)


def _argument(parameter: Parameter) -> str:
    assert isinstance(parameter.declared, Argument)
    name = parameter.declared.metavar
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _option(parameter: Parameter) -> str:
    assert isinstance(parameter.declared, Option)
    names = ", ".join(option_names(parameter))
    value = parameter.declared.metavar or parameter.name.replace("_", "-").upper()
    return names if parameter.kind is bool else f"{names} {value}"
