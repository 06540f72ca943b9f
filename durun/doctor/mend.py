"""Mends what can be mended without asking: nothing is lost by it, and it keeps to the state directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from durun.doctor import state
from durun.doctor.here import Here
from durun.journal.sqlite import open_journal
from durun.model.check import Check


def _make_private(here: Here) -> None:
    with suppress(OSError):  # a file system that is read-only: the check goes on saying so
        for path, mode in state.too_closed(here):
            path.chmod(mode)
        for path, mode in state.too_open(here):
            path.chmod(mode)


def _finish_commit(here: Here) -> None:
    """A writer undoes a commit that was cut short, and brings an older journal up to this durun's."""
    open_journal(here.config.journal_path).close()


_MENDS: Mapping[str, Callable[[Here], None]] = {
    "state_directory": _make_private,
    "permissions": _make_private,
    "journal": _finish_commit,
}
"""By the name of the check that is not ok. The first ones let the later ones look."""


def mend(here: Here, checks: Sequence[Check]) -> bool:
    """Mend what these checks found, as far as it goes by itself; says whether anything was tried.

    Raises Unsafe, JournalDamaged, StorageFailed.
    """
    wrong = [check.name for check in checks if check.status != "ok"]
    names = [name for name in _MENDS if name in wrong and not (name == "journal" and _damaged(checks))]
    for name in names:
        _MENDS[name](here)
    return bool(names)


def _damaged(checks: Sequence[Check]) -> bool:
    """Whether the journal itself is at fault: then it is left untouched."""
    return any(check.name == "journal" and check.status == "fail" for check in checks)
