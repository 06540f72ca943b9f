"""`requires`: what must be there before the first effect."""

from __future__ import annotations

import grp
import os
from collections.abc import Collection

from durun.errors import CannotStart, NotAllowed
from durun.model.runbook import Requires


def check_requirements(requires: Requires, path: str) -> None:
    """Raise CannotStart for commands that `path` does not have, NotAllowed for somebody in none of the groups."""
    missing = _missing(requires.commands, path) if requires.commands else []
    if missing:
        raise CannotStart(
            f"the runbook requires {_list(missing)}, which PATH does not have",
            f"install {_list(missing)}, or set PATH; PATH is {path}",
        )
    if not may_run(requires.groups):
        raise NotAllowed(
            f"the runbook may only be run by members of {_list(list(requires.groups))}",
            "ask somebody who is, or to be added to the group; a new group counts from the next login",
        )


def may_run(groups: Collection[str]) -> bool:
    """Whether the caller is in one of these unix groups, or none is asked for."""
    return not groups or not _mine().isdisjoint(groups)


def _mine() -> set[str]:
    names = set()
    for gid in {os.getegid(), *os.getgroups()}:
        try:
            names.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            names.add(str(gid))
    return names


def _missing(commands: tuple[str, ...], path: str) -> list[str]:
    from shutil import which  # most runbooks require none, and every start would pay for it

    return [name for name in commands if which(name, path=path) is None]


def _list(names: list[str]) -> str:
    return ", ".join(names)
