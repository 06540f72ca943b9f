"""Runbook files named on the command line."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from durun.engine.api import Source
from durun.errors import UsageError
from durun.language.load import load, read_file
from durun.model.event import RunCreated


def open_source(path: str, quiet: bool = False) -> Source:
    """Read and check a runbook; its warnings go to stderr. Raises InvalidRunbook, UsageError."""
    file = Path(path)
    try:
        folder = str(file.absolute().parent)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: the working directory is gone", "cd to a folder that is there") from error
    loaded = load(read_file(path), path, folder)
    if not quiet:
        for warning in loaded.warnings:
            sys.stderr.write(f"{warning}\n")
    return Source(loaded.runbook, path, folder)


def file_of(created: RunCreated) -> Path:
    """Where the runbook of a run stood when the run was started."""
    return Path(created.place) / Path(created.file).name


def differs_now(created: RunCreated) -> bool:
    """Whether the runbook's file is there and no longer what the run was started with."""
    try:
        raw = file_of(created).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(raw).hexdigest() != created.digest
