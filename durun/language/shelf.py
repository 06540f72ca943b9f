"""What a runbook may take from outside: files beside it, read once each and checked by themselves, and plugins."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from durun.model.runbook import Runbook

if TYPE_CHECKING:
    from durun.model.plugin import Plugin


class Shelf(NamedTuple):
    """The files that one runbook may include.

    `chain` are the paths of the files that lead to it, the run's own runbook first and itself last, relative to the
    folder of the first. `get` gives the file of such a path as a runbook, for this chain with the path behind it; None
    if something is wrong with it, of which its own report tells. Raises UsageError and InvalidRunbook for what can't be
    read. `plugin` gives the action from a plugin by its name, and raises CannotStart if it can't be used.
    `stored`: it is that of a run, and was checked when that was started; what is installed now says nothing about it.
    """

    chain: tuple[str, ...]
    get: Callable[[tuple[str, ...]], Runbook | None]
    plugin: Callable[[str], Plugin]
    stored: bool = False

    @property
    def folder(self) -> str:
        """The runbook's folder, relative to that of the first file; empty if it is the same."""
        return posixpath.dirname(self.chain[-1])

    @property
    def included(self) -> bool:
        """Whether the runbook is itself included."""
        return len(self.chain) > 1
