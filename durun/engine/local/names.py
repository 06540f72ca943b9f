"""Where an attempt's folder is, and its log in it: all that whoever only reads needs to know of them.

Standard library only, as `folder`.
"""

from __future__ import annotations

from pathlib import Path


def attempt_folder(run_folder: Path, number: int) -> Path:
    """The folder of the attempt with this folder number."""
    return Path(f"{run_folder}/attempts/{number}")


def log_path(folder: Path) -> str:
    """Where the attempt's stdout and stderr are kept; absent if it wrote nothing."""
    return f"{folder}/log"
