"""From a file to a checked runbook: the one door into the language."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from durun.errors import InvalidRunbook, UsageError
from durun.language import schema, source
from durun.language.advice import advise
from durun.language.build import build
from durun.language.diagnostics import Diagnostic, did_you_mean, harmless, render_all
from durun.language.locate import Locator
from durun.language.text import MAX_BYTES, Unreadable
from durun.language.values import Reader
from durun.model.runbook import Runbook

_MOST = 100
"""How many problems are told at once; a file with more of them is no runbook."""


class Loaded(NamedTuple):
    """A runbook that may be run, and what is probably not meant in it (each with its place)."""

    runbook: Runbook
    warnings: tuple[str, ...]


def load(raw: bytes, file: str, folder: str | None = None) -> Loaded:
    """Read and check a runbook. `file` is the name that messages show, `folder` where helper files are looked for.

    Raises InvalidRunbook, whose report has every problem with its place.
    """
    try:
        document = source.parse(raw)
    except Unreadable as error:
        raise _invalid(error.diagnostics, file, error.text) from None
    locator = Locator(document.text, document.root)
    cleaned, problems = schema.check(document.root.value)
    reader = Reader(locator, problems)
    runbook = build(reader, cleaned, document.root.value, raw.decode())
    if document.problems or reader.problems:
        raise _invalid([*document.problems, *map(locator.diagnostic, reader.problems)], file, document.text)
    advise(reader, runbook, folder)
    warnings = [locator.diagnostic(problem) for problem in reader.warnings]
    return Loaded(runbook, tuple(_line(warning, file) for warning in sorted(warnings, key=lambda one: one.place)))


def _invalid(diagnostics: Sequence[Diagnostic], file: str, text: str) -> InvalidRunbook:
    unique = sorted(set(diagnostics), key=lambda found: found.place)
    count = len(unique)
    report = render_all(unique[:_MOST], file, text)
    if count > _MOST:
        report += f"\n\n… and {count - _MOST} more"
    message = f"{harmless(file)}: {'1 problem' if count == 1 else f'{count} problems'}"
    return InvalidRunbook(message, "nothing was run; change the file and try again", report)


def _line(warning: Diagnostic, file: str) -> str:
    hint = f" ({warning.hint})" if warning.hint else ""
    place = warning.place
    return f"{harmless(file)}:{place.line}:{place.column}: {harmless(warning.message)}{harmless(hint)}"


def read_file(path: str) -> bytes:
    """The bytes of a runbook file. UsageError when there is none, InvalidRunbook when it is too large."""
    name = harmless(path)
    try:
        # Not blocking, so that a FIFO is refused and not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}", _near(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name} can't be read: {reason}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{name} is a folder", _runbooks_in(Path(path)))
        if not stat.S_ISREG(mode):
            raise UsageError(f"{name} is not a file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(raw) > MAX_BYTES:
        raise InvalidRunbook(f"{name}: the file is larger than 1 MiB", "keep scripts and data in files of their own")
    return raw


def _near(path: str) -> str:
    """Runbooks of nearly that name in the same folder."""
    wanted = Path(path)
    folder = wanted.parent
    names = _names(folder)
    if not folder.is_dir():
        return f"there is no folder {harmless(str(folder))}"
    for name in (f"{wanted.name}.yaml", f"{wanted.name}.yml"):
        if name in names:
            return f"did you mean `{harmless(str(folder / name))}`?"
    return harmless(did_you_mean(wanted.name, names)) or _runbooks_in(folder)


def _runbooks_in(folder: Path) -> str:
    found = [name for name in _names(folder) if name.endswith((".yaml", ".yml"))]
    return f"there is {harmless(', '.join(sorted(found)[:8]))}" if found else ""


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)][:10_000]
    except OSError:
        return []
