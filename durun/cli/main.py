"""The command line: picks the command, and is the only place that turns an error into text and an exit code.

Nobody ever sees a traceback: what durun can name is two lines, what it can't is one, with the details in a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from durun.cli import screen
from durun.cli.commands import COMMANDS, Command, family, named, overview
from durun.errors import DurunError, UsageError

_HELP = ("-h", "--help", "help")


def run(argv: Sequence[str]) -> int:
    """Run `durun ARGV…` and return the exit code of the process."""
    _fill_descriptors()
    name, arguments = named(argv or [""])
    as_json = screen.wants_json(arguments)
    try:
        if name in _HELP or not argv:
            return _help(arguments, bool(argv))
        if family(name) and (not arguments or arguments[0] in _HELP):
            return _help([name], bool(arguments))
        code = _run_command(name, arguments)
        sys.stdout.flush()
        return code
    except DurunError as error:
        return screen.show_error(screen.of_a_limit(error), as_json)
    except KeyboardInterrupt:
        return screen.INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return 0
    except Exception as error:
        if (refused := screen.of_the_machine(error)) is not None:
            _forget_output()
            return screen.show_error(refused, as_json)
        return screen.show_internal_error(error, as_json)


def _run_command(name: str, arguments: Sequence[str]) -> int:
    command = COMMANDS.get(name)
    if command is None:
        from durun.cli.mistaken import no_such_command

        raise no_such_command(name, arguments)
    if not command.drives or "--help" in arguments:
        return _invoke(name, command, arguments)
    from durun.engine.local.hands import leave_early, start_early

    start_early()
    try:
        return _invoke(name, command, arguments)
    finally:
        leave_early()


def _invoke(name: str, command: Command, arguments: Sequence[str]) -> int:
    module = import_module(f"durun.cli.{command.module}")
    from durun.cli.arguments import invoke

    return invoke(name, command.summary, module.command, arguments)


def _help(words: Sequence[str], asked: bool) -> int:
    """`durun --help`, `durun help COMMAND`; without any argument it is a mistake, and said on stderr."""
    name, rest = named(words or [""])
    if asked and words and not family(name):
        return _run_command(name, ["--help"] if name in COMMANDS else rest)
    stream = sys.stdout if asked else sys.stderr
    stream.write(overview(name if family(name) else ""))
    if not words and not asked:
        from durun.cli.unfinished import unfinished

        stream.write(unfinished())
    stream.flush()
    return 0 if asked else UsageError.exit_code


def _fill_descriptors() -> None:
    """Open what the caller closed (`>&-`) on /dev/null: else the journal could get descriptor 1, and output ruin it."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115  (as long as the process)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """The reader has gone away: let nothing be flushed into the closed pipe at exit."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
