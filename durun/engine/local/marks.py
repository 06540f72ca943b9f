"""Which runs have sealed values that are to be destroyed once they succeed: an empty file for each, by its id."""

from __future__ import annotations

from pathlib import Path

_FOLDER = "sealing"


def mark_of(home: Path, run_id: str) -> Path:
    """The file that says so of this run."""
    return home / _FOLDER / run_id


def marked(home: Path) -> list[str]:
    """The ids of all such runs."""
    folder = home / _FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
