"""The evidence of runs as it lies on the disk: whether it is still what was taken."""

from __future__ import annotations

import hashlib
from pathlib import Path

from durun.model.evidence import Evidence


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in one read and constant memory. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong_with(piece: Evidence, run_folder: Path) -> str:
    """What is wrong with a piece of evidence in a run's folder (or in an export that has the same names); "" if
    nothing is."""
    path = run_folder / piece.path
    try:
        found = sha256_of(path)
    except OSError as error:
        return f"{piece.path} ({piece.name} of {piece.key}) can't be read: {error.strerror}"
    return "" if found == piece.sha256 else f"{piece.path} ({piece.name} of {piece.key}) was changed: it is {found}"
