"""Which plugins are installed beside durun: what packages say of themselves. Nothing of theirs is loaded here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, NamedTuple

from durun.errors import CannotStart, first_of, meant
from durun.model.plugin import code_of

ACTIONS: Final = "durun.actions"
SECRETS: Final = "durun.secrets"
_LISTED: Final = 10


class Found(NamedTuple):
    """An entry point, and the package that has it."""

    name: str
    package: str
    version: str
    entry: EntryPoint

    @property
    def code(self) -> str:
        """The package and its version."""
        return code_of(self.package, self.version)


def installed(group: str, name: str | None = None) -> list[Found]:
    """All plugins of a group, by name; or those of one name, without reading what other packages say of themselves."""
    found = {}
    for entry in entry_points(group=group) if name is None else entry_points(group=group, name=name):
        package = entry.dist.name if entry.dist is not None else "?"
        version = entry.dist.version if entry.dist is not None else "?"
        # A folder may be on the path twice.
        found[entry.name, package, entry.value] = Found(entry.name, package, version, entry)
    return sorted(found.values(), key=lambda one: one[:3])


def brought_twice(found: Iterable[Found]) -> dict[str, list[str]]:
    """The names that more than one package brings, with these packages."""
    by_name: dict[str, list[str]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one.code)
    return {name: codes for name, codes in by_name.items() if len(codes) > 1}


def find_action(name: str) -> Found:
    """The action of this name. Raises CannotStart if no package brings it, or more than one."""
    found = installed(ACTIONS, name)
    if not found:
        others = _others(name, installed(ACTIONS))
        raise CannotStart(f"no package that is installed brings an action `{name}`", others)
    if len(found) > 1:
        packages = " and ".join(one.code for one in found)
        raise CannotStart(f"the action `{name}` is brought by {packages}", "uninstall all but one of them")
    return found[0]


def install_command(package: str, version: str = "") -> str:
    """What installs a package where this durun looks for plugins; pipx would lose what pip puts beside it."""
    by_pipx = Path(sys.prefix, "pipx_metadata.json").exists()
    how = "pipx inject durun" if by_pipx else f"{sys.executable} -m pip install"
    return f"{how} {package}{f'=={version}' if version else ''}"


def _others(name: str, known: list[Found]) -> str:
    from difflib import get_close_matches

    names = list(dict.fromkeys(one.name for one in known))
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    how = f"install the package that has it: {install_command('PACKAGE')}"
    if near:
        return f"{meant(near)} Else {how}"
    return f"{how} (installed are: {first_of(names, _LISTED) or 'none'})"
