"""From a file to a checked runbook: the one door into the language."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durun.errors import CannotStart, InvalidRunbook, UsageError, meant
from durun.language.diagnostics import Diagnostic, harmless, render_all
from durun.language.loading import Loading, Report, beside
from durun.language.text import MAX_BYTES
from durun.model.runbook import Runbook

_MOST = 100
"""How many problems are told at once; a file with more of them is no runbook."""

if TYPE_CHECKING:
    from durun.model.plugin import Plugin


class Loaded(NamedTuple):
    """A runbook that may be run, and what is probably not meant in it (each with its place)."""

    runbook: Runbook
    warnings: tuple[str, ...]


def no_plugins(name: str) -> Plugin:
    """What there is where nobody looks for plugins: none."""
    raise CannotStart(f"there is no action `{name}` here", "look for it where plugins are installed: durun doctor")


def load(
    raw: bytes,
    file: str,
    folder: str | None = None,
    included: Mapping[str, str] | None = None,
    plugin: Callable[[str], Plugin] = no_plugins,
) -> Loaded:
    """Read and check a runbook. `file` is the name that messages show, `folder` where helper files are looked for.

    `included` are the texts of the files that it includes, by path, as a Runbook has them; without it they are read
    from `folder`. `plugin` describes an action from a plugin by its name, or raises CannotStart. Raises InvalidRunbook,
    whose report has every problem with its place.
    """

    def read(path: str) -> bytes:
        if included is not None and path in included:
            return included[path].encode("utf-8")
        if included is not None or folder is None:
            raise UsageError(f"there is no text of {harmless(path)} here", "name a file that the runbook includes")
        return read_file(os.path.join(folder, path), beside(file, path))  # noqa: PTH118  (as it is written)

    loading = Loading(file, folder if included is None else None, read, plugin, stored=included is not None)
    runbook = loading.load(raw)
    if runbook is None or loading.problems:
        raise _invalid(file, list(loading.problems.values()))
    warnings = [_line(warning, report.file) for report in loading.warnings.values() for warning in sorted(report.found)]
    return Loaded(runbook, tuple(warnings))


def _invalid(file: str, reports: Sequence[Report]) -> InvalidRunbook:
    told: list[str] = []
    count = room = 0
    for report in reports:
        unique = sorted(set(report.found), key=lambda found: found.place)
        room = max(0, _MOST - count)
        count += len(unique)
        told += [render_all(unique[:room], report.file, report.text)] if room else []
    text = "\n\n".join(told)
    if count > _MOST:
        text += f"\n\n… and {count - _MOST} more"
    message = f"{harmless(file)}: {'1 problem' if count == 1 else f'{count} problems'}"
    return InvalidRunbook(message, "nothing was run; change the file and try again", text)


def _line(warning: Diagnostic, file: str) -> str:
    hint = f" ({warning.hint})" if warning.hint else ""
    place = warning.place
    return f"{harmless(file)}:{place.line}:{place.column}: {harmless(warning.message)}{harmless(hint)}"


def read_file(path: str, shown: str | None = None) -> bytes:
    """The bytes of a runbook file. UsageError when there is none, InvalidRunbook when it is too large.

    `shown` is how messages name it, if not by its path.
    """
    shown = path if shown is None else shown
    name = harmless(shown)
    try:
        # Not blocking, so that a FIFO is refused and not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}", _near(path, shown)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name} can't be read: {reason}", "see who may read it: ls -l") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{name} is a folder", _runbooks_in(Path(path)))
        if not stat.S_ISREG(mode):
            raise UsageError(f"{name} is not a file", "a runbook is a text file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} can't be read: {error.strerror}", "see to the disk") from None
    finally:
        os.close(descriptor)
    if len(raw) > MAX_BYTES:
        raise InvalidRunbook(f"{name}: the file is larger than 1 MiB", "keep scripts and data in files of their own")
    return raw


def _near(path: str, shown: str) -> str:
    """Runbooks of nearly that name in the same folder."""
    wanted = Path(path)
    folder = wanted.parent
    names = _names(folder)
    if not folder.is_dir():
        return f"there is no folder {harmless(str(Path(shown).parent))}"
    for name in (f"{wanted.name}.yaml", f"{wanted.name}.yml"):
        if name in names:
            return meant([harmless(str(Path(shown).parent / name))])
    runbooks = {Path(name).stem: name for name in names if name.endswith((".yaml", ".yml"))}
    from difflib import get_close_matches  # only for mistakes: every start would pay for it

    if near := get_close_matches(wanted.stem, runbooks, 1, 0.7):
        return meant([harmless(str(Path(shown).parent / runbooks[near[0]]))])
    return _runbooks_in(folder)


def _runbooks_in(folder: Path) -> str:
    found = [name for name in _names(folder) if name.endswith((".yaml", ".yml"))]
    if found:
        return f"there is {harmless(', '.join(sorted(found)[:8]))}"
    return "no runbook is there; `durun new NAME` writes a first one"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)][:10_000]
    except OSError:
        return []
