"""What is installed beside durun: completions for the shell, and plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from durun.doctor.here import Here
from durun.errors import CannotStart
from durun.model.check import Check
from durun.plugins.described import ask
from durun.plugins.installed import ACTIONS, SECRETS, Found, brought_twice, installed

_PLACES = {
    "bash": (
        "{data}/bash-completion/completions/durun",
        "/usr/share/bash-completion/completions/durun",
        "/etc/bash_completion.d/durun",
    ),
    "zsh": (
        "{home}/.zfunc/_durun",
        "{data}/zsh/site-functions/_durun",
        "/usr/local/share/zsh/site-functions/_durun",
        "/usr/share/zsh/vendor-completions/_durun",
    ),
    "fish": ("{config}/fish/completions/durun.fish", "/usr/share/fish/vendor_completions.d/durun.fish"),
}
"""Where each shell looks by itself, or is told to by most."""


def completions(here: Here) -> Check:
    """They are there for the user's shell, as far as that can be told: a shell can be told to look anywhere."""
    shell = Path(here.environ.get("SHELL", "")).name
    if shell not in _PLACES:
        return Check("completions", "ok", "there are some for bash, zsh and fish: durun completion --help")
    home = here.environ.get("HOME", "")
    data = here.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    config = here.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    places = [Path(place.format(home=home, data=data, config=config)) for place in _PLACES[shell]]
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        return Check("completions", "ok", f"{shell} finds them in {found}")
    how = f"durun completion {shell} > {places[0]}"
    return Check("completions", "ok", f"none are where {shell} looks for them by itself; for those: {how}")


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
