"""Where an attempt's folder is, and its log in it: all that whoever only reads needs to know of them.

Standard library only, as `folder`.
"""

from __future__ import annotations

import os
from pathlib import Path


def attempt_folder(run_folder: Path, number: int) -> Path:
    """The folder of the attempt with this folder number."""
    return Path(f"{run_folder}/attempts/{number}")


def attempts_made(run_folder: Path, known: int = 0) -> int:
    """The highest number of an attempt whose folder has anything in it, or `known` if none is higher. Raises OSError.

    Only attempts that are committed have: an empty folder was made ahead.
    """
    try:
        with os.scandir(attempt_folder(run_folder, 0).parent) as entries:
            numbers = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    except (FileNotFoundError, NotADirectoryError):
        return known
    higher = sorted((number for number in numbers if number > known), reverse=True)
    return next((number for number in higher if os.listdir(attempt_folder(run_folder, number))), known)  # noqa: PTH208


def log_path(folder: Path) -> str:
    """Where the attempt's stdout and stderr are kept; absent if it wrote nothing."""
    return f"{folder}/log"
