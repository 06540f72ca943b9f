"""What is installed beside durun: completions for the shell, and plugins."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from durun.doctor.here import Here
from durun.model.check import Check
from durun.secrets.plugins import GROUP

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
    """Which there are. A provider that two packages bring can't be used."""
    found: dict[str, set[str]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, set()).add(entry.value)
    twice = {name: values for name, values in found.items() if len(values) > 1}
    if twice:
        told = "; ".join(f"{name} by {', '.join(sorted(values))}" for name, values in sorted(twice.items()))
        return Check("plugins", "warn", f"more than one package brings a provider: {told}", "remove all but one")
    return Check("plugins", "ok", f"providers of secrets: {', '.join(sorted(found))}" if found else "there are none")
