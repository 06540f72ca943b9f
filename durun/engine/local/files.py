"""Helper files: copied into the run's folder at its start, so that a resume after `git pull` runs what was started."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from errno import EINVAL, ENOENT
from pathlib import Path

from durun.durable import sync_folder, write_whole
from durun.errors import StorageFailed, UsageError
from durun.language.targets import MOST_BYTES, TargetError
from durun.model.copies import copy_name
from durun.model.event import RunCreated
from durun.model.values import Json

FOLDER = "files"
"""Where in the run's folder the copies of the start are."""


def copy_files(
    globs: Iterable[tuple[str, Iterable[str]]], place: Path, run_folder: Path, into: str = FOLDER
) -> dict[str, Json]:
    """Copy what globs choose into a folder of the run; `globs`: a folder in `place` → those of a file that is there.

    Returns path relative to `place` → `{"sha256", "mode"}`; nothing, if there are no globs. The copies are durable
    when this returns. A glob that chooses nothing, or something outside its folder, is refused (UsageError); a disk
    that refuses is StorageFailed.
    """
    chosen = dict(sorted(_chosen(globs, place)))
    if not chosen:
        return {}
    if len(set(map(copy_name, chosen))) < len(chosen):
        raise UsageError("files: a folder is called __up__, as the copies of those above are", "give it another name")
    target = run_folder / into
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        copied = {name: _copy(path, target / copy_name(name)) for name, path in chosen.items()}
        for folder in {run_folder, target, *(target / name for name in _folders(map(copy_name, copied)))}:
            sync_folder(folder)
    except OSError as error:
        raise StorageFailed(f"the helper files can't be copied: {error}", "make room, then try again") from error
    return copied


def _chosen(globs: Iterable[tuple[str, Iterable[str]]], place: Path) -> Iterator[tuple[str, Path]]:
    """Paths relative to `place`, and where they are now."""
    for folder, ours in globs:
        for glob in ours:
            for path in _matches(glob, place / folder):
                name = path.relative_to(place / folder).as_posix()
                yield posixpath.normpath(posixpath.join(folder, name)), path


def changed_files(recorded: Mapping[str, Json], place: Path) -> list[str]:
    """The recorded files that differ in `place` now, or are gone from it."""
    return [name for name, facts in recorded.items() if _digest_of(place / name) != facts["sha256"]]


def read_listed(name: str, created: RunCreated, run_folder: Path, private: bool = False) -> bytes:
    """A file that lists targets: its copy, so that a resume reads what the start read; else the one beside the runbook.

    `private`: there are secrets in it. Raises TargetError; SecretUnavailable for a private one that others may read.
    """
    copies = run_folder / created.files_folder
    path = copies / copy_name(name) if name in created.files else Path(created.place) / name
    try:
        return read_targets(path, private)
    except OSError as error:
        raise TargetError(f"targets: {path}: {error.strerror}", "correct the path, or make the file") from error


def read_targets(path: Path, private: bool) -> bytes:
    """A file that lists targets. Raises OSError; SecretUnavailable for a private one that others may read."""
    if "\0" in str(path):
        raise OSError(EINVAL, "no file has a name with a NUL character")
    if not private:
        return path.read_bytes()
    from durun.secrets.files import read_private

    content = read_private(path, largest=MOST_BYTES)
    if content is None:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
    return content


def _matches(glob: str, place: Path) -> list[Path]:
    found = [path for path in place.glob(glob) if path.is_file()]
    for path in found:
        if not path.resolve().is_relative_to(place.resolve()):
            raise UsageError(
                f"files: {glob!r} leads out of the runbook's folder, to {path.resolve()}",
                "copy the file beside the runbook",
            )
    if not found:
        raise UsageError(f"files: nothing matches {glob!r} in {place}", "correct the glob, or leave it out")
    return found


def _copy(source: Path, target: Path) -> dict[str, Json]:
    content = source.read_bytes()
    mode = source.stat().st_mode & 0o700
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(target, content, mode)
    return {"sha256": hashlib.sha256(content).hexdigest(), "mode": f"{mode:04o}"}


def _folders(names: Iterable[str]) -> set[Path]:
    return {parent for name in names for parent in Path(name).parents}


def _digest_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def remove_folder(folder: Path) -> None:
    """Remove a folder with what is in it, as far as that can be done."""
    try:
        folder.rmdir()
    except OSError:
        import shutil  # most are empty, and every start would pay for it

        shutil.rmtree(folder, ignore_errors=True)
