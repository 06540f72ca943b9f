"""One tree of errors: what went wrong, the process's exit code, and what is safe to do next.

An error is raised where the cause is known and shown in one place (`durun.cli.main`). The exit codes
are a contract: see the table in `durun/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable


class DurunError(Exception):
    """Something went wrong that durun can name.

    `code` is a stable word for programs, `exit_code` the process's exit code, `message` one line of
    cause, `hint` one line of what to do next (or empty).
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DurunError):
    """The command or its arguments are wrong."""

    code = "usage"
    exit_code = 2


class InvalidRunbook(DurunError):
    """A runbook can't be used; every problem is told, with its place."""

    code = "invalid_runbook"
    exit_code = 2

    def __init__(self, message: str, hint: str = "", report: str = "") -> None:
        super().__init__(message, hint)
        self.report = report


class InvalidInput(DurunError):
    """A value for an input is missing or wrong."""

    code = "invalid_input"
    exit_code = 2


class NoSuchRun(DurunError):
    """No run, or more than one, has this id."""

    code = "no_such_run"
    exit_code = 2


class NotAllowed(DurunError):
    """The run is not in a state in which this can be done."""

    code = "not_allowed"
    exit_code = 2


class CannotStart(DurunError):
    """A command or a plugin that the runbook needs is not there, or a step's command can't be executed."""

    code = "cannot_start"
    exit_code = 4


class NotCounted(DurunError):
    """A decision does not count; that is recorded."""

    code = "not_counted"
    exit_code = 6


class JournalDamaged(DurunError):
    """The journal is not a whole, unbroken journal; it is left untouched."""

    code = "journal_damaged"
    exit_code = 7


class BundleDamaged(DurunError):
    """An exported bundle is not what was exported, or not signed by whom it should be."""

    code = "bundle_damaged"
    exit_code = 7


class StorageFailed(DurunError):
    """The disk refused (full, read-only, broken): nothing more was started."""

    code = "storage_failed"
    exit_code = 8


class SecretUnavailable(DurunError):
    """A secret can't be had here."""

    code = "secret_unavailable"
    exit_code = 9


class Changed(DurunError):
    """The runbook, the inputs or the surroundings differ from those that the run was started with."""

    code = "changed"
    exit_code = 10


class Busy(DurunError):
    """Another process drives this run."""

    code = "busy"
    exit_code = 11


class GroupHeld(DurunError):
    """Another run holds the concurrency group.

    `holder` is that run's id, `group` the name of the group.
    """

    code = "group_held"
    exit_code = 11

    def __init__(self, message: str, hint: str, holder: str, group: str) -> None:
        super().__init__(message, hint)
        self.holder = holder
        self.group = group


class Unsafe(DurunError):
    """A place or a version that durun must not work with."""

    code = "unsafe"
    exit_code = 13


def told(message: str, hint: str) -> str:
    """Cause and hint as an operator sees them: lines of text, each with its end."""
    lines = "\n        ".join(hint.splitlines())
    return f"durun: {message}\n" + (f"  hint: {lines}\n" if lines else "")


def meant(words: Iterable[str]) -> str:
    """The hint that names what was probably meant; empty where nothing was."""
    named = " or ".join(f"`{word}`" for word in words)
    return f"did you mean {named}?" if named else ""


def typed(word: object) -> str:
    """A path or a name as it is typed into a shell, for the commands in hints."""
    from shlex import quote  # loads `re`, which no start needs

    return quote(str(word))


def first_of(names: Iterable[object], most: int = 5) -> str:
    """The first few names of a list, as they stand in a message: `a, b, c, …`."""
    found = list(map(str, names))
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")
