"""Which runs have something left to do that is easily forgotten: a file for each, by its id.

In `sealing/` those with sealed values that are to be destroyed once they succeed; in `notices/` those of which somebody
is still to be told, now or at the time of the file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SEALING = "sealing"
NOTICES = "notices"


def mark_of(home: Path, run_id: str) -> Path:
    """The file that says that sealed values of this run are still to be destroyed."""
    return home / SEALING / run_id


def marked(home: Path, folder: str = SEALING) -> list[str]:
    """The ids of the runs that have such a file."""
    place = home / folder
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def notice_of(home: Path, run_id: str) -> Path:
    """The file that says that somebody is to be told of this run; whoever tells holds an `flock` on it."""
    return home / NOTICES / run_id


def mark_notice(home: Path, run_id: str) -> None:
    """Note it before it is recorded. Where that can't be done nobody stops: the run itself is told of all the same."""
    path = notice_of(home, run_id)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)


def mark_told(home: Path, run_id: str, again: float | None) -> None:
    """Nobody is to be told before `again`; None: nobody any more."""
    path = notice_of(home, run_id)
    with suppress(FileNotFoundError):
        path.unlink() if again is None else os.utime(path, (again, again))


def notice_due(home: Path, run_id: str, now: float, longest: float) -> bool:
    """Whether somebody is to be told by now. More than `longest` ahead is no time: the clock was set back since."""
    try:
        wait = notice_of(home, run_id).stat().st_mtime - now
    except OSError:
        return False
    return not 0 < wait <= longest
