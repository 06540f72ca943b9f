"""The screen: how wide it is, and errors as an operator or a program sees them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from durun.config import load_config
from durun.errors import CannotStart, DurunError, InvalidRunbook, StorageFailed, Unsafe, UsageError, told, typed
from durun.secrets.known import scrub

INTERNAL_ERROR = 70
"""EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""Left at an INT, as a shell says it."""


def width_of_terminal() -> int | None:
    """How many columns there are to write in; None off a terminal, where nothing is cut or broken."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return max(40, get_terminal_size().columns)


def has_colours() -> bool:
    """Whether colours are wanted: on a terminal that has them, unless `NO_COLOR` is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def note(text: str) -> None:
    """Tell whoever sits at a terminal why there is nothing to see; a script is told nothing."""
    if sys.stdout.isatty():
        _write(f"durun: {text}\n")


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` was given, known before the arguments are parsed, for errors in the arguments themselves."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before


def show_error(error: DurunError, as_json: bool) -> int:
    """Cause and what to do next on stderr; returns the exit code."""
    listed = error.report if isinstance(error, InvalidRunbook) else ""
    if as_json:
        from durun.views.json import dump
        from durun.views.json import error as shape

        more = {"report": listed} if listed else {}
        _write(dump(shape(error.code, error.message, error.hint, **more)))
        return error.exit_code
    from durun.views.text import harmless  # what was typed, and names of files, are not to be obeyed by a terminal

    report = f"{listed.rstrip()}\n" if listed else ""
    _write(harmless(report + told(error.message, error.hint)))
    return error.exit_code


def cannot_write(path: Path, error: OSError) -> DurunError:
    """What is said when a file that a command was to write can't be written, and what helps."""
    if isinstance(error, FileNotFoundError):
        if path.parent == Path():
            return UsageError("the working directory is gone", "cd to a folder that is there")
        return UsageError(f"there is no folder {path.parent}", f"mkdir -p {typed(path.parent)}")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{path} is a folder", "name a file in it")
    hint = (
        "choose a place that you may write to" if isinstance(error, PermissionError) else "make room, or choose another"
    )
    return StorageFailed(f"{path} can't be written: {error.strerror}", hint)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_MORE_FILES = "allow more: ulimit -n 1024"


def of_a_limit(error: DurunError) -> DurunError:
    """The same error; but where a limit on open files is behind it, that is what helps, and not room on a disk."""
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in _NO_MORE_FILES:
        return error
    _, then, next_of_all = error.hint.partition(", then")
    return CannotStart(error.message, f"{_MORE_FILES}{then}{next_of_all}")


def of_the_machine(error: Exception) -> DurunError | None:
    """What it means that a limit, a place in the state directory, or whatever stdout is, refused; None for all else."""
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return CannotStart("no more processes can be started here", "allow more: ulimit -u 256")
    if not isinstance(error, OSError):
        return None
    if error.errno in _NO_MORE_FILES:
        return CannotStart("no more files can be opened here", _MORE_FILES)
    if error.filename is None and error.errno in _FULL:
        return StorageFailed(f"what was to be written can't be: {error.strerror}", "make room where the output goes")
    if not isinstance(error.filename, str):
        return None
    try:
        config = load_config(os.environ)
        if not Path(error.filename).is_relative_to(config.home):
            return None
        from durun.journal.place import require_safe

        require_safe(config.journal_path)
    except DurunError as why:
        return why
    kind = Unsafe if isinstance(error, PermissionError) or error.errno == errno.EROFS else StorageFailed
    return kind(f"{error.filename} can't be used: {error.strerror}", "`durun doctor` says what is wrong with the place")


def exit_code_of(error: BaseException) -> int:
    """With which exit code the process will end by this error."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, DurunError):
        return of_a_limit(error).exit_code
    refused = of_the_machine(error) if isinstance(error, Exception) else None
    return INTERNAL_ERROR if refused is None else refused.exit_code


def show_internal_error(error: Exception, as_json: bool) -> int:
    """One line for what should not happen, and the details in a file of the state directory."""
    kept = _keep_details(error)
    message = _internal_error(error)
    hint = f"the details are in {kept}" if kept else "the details could not be written"
    if as_json:
        from durun.views.json import dump
        from durun.views.json import error as shape

        _write(dump(shape("internal_error", message, hint)))
    else:
        _write(f"durun: {message}; {hint}\n")
    return INTERNAL_ERROR


def _internal_error(error: Exception) -> str:
    """In one line. Secrets are looked for first: one that is cut, or whose spaces are joined, is not found any more."""
    return f"internal error: {type(error).__name__}: {' '.join(scrub(str(error)).split())[:200]}"


def _keep_details(error: Exception) -> Path | None:
    """Write the traceback where only its owner can read it; None if that fails."""
    import traceback

    from durun.model.clock import SystemClock, to_iso

    try:
        folder = load_config(os.environ).errors_folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{to_iso(SystemClock().now())}-{os.getpid()}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(scrub("".join(traceback.format_exception(error))))
    except (OSError, DurunError):
        return None
    return path


def _write(text: str) -> None:
    try:
        sys.stderr.write(scrub(text))
        sys.stderr.flush()
    except OSError:
        return  # nobody reads stderr any more; the exit code still tells
