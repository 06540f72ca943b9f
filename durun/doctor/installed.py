"""What is installed beside durun: plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from durun.doctor.here import Here
from durun.errors import CannotStart
from durun.model.check import Check
from durun.plugins.described import ask
from durun.plugins.installed import ACTIONS, SECRETS, Found, brought_twice, installed


def plugins(here: Here) -> Check:
    """Which there are, with their packages. One that can't be loaded, or that two packages bring, can't be used."""
    actions, providers = installed(ACTIONS), installed(SECRETS)
    wrong = [*_wrong("action", ACTIONS, actions), *_wrong("provider", SECRETS, providers)]
    there = (("actions", actions), ("providers of secrets", providers))
    told = "; ".join(f"{kind}: {', '.join(f'{one.name} ({one.code})' for one in some)}" for kind, some in there if some)
    if wrong:
        hint = "remove one of two packages, install another version, or tell who made it"
        return Check("plugins", "warn", f"{'; '.join(wrong)} (installed are {told})", hint)
    return Check("plugins", "ok", told or "there are none")


def _wrong(kind: str, group: str, found: Sequence[Found]) -> Iterator[str]:
    twice = brought_twice(found)
    for name in dict.fromkeys(one.name for one in found):
        if name in twice:
            yield f"more than one package brings the {kind} {name}: {', '.join(twice[name])}"
            continue
        try:
            ask(group, name)
        except CannotStart as error:
            yield error.message
