"""Whether the user's shell completes durun's commands, and with which command it learns to."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import NamedTuple

from durun.doctor.here import Here
from durun.model.check import Check
from durun.shells import SHELLS


class Shell(NamedTuple):
    """The files in which a shell looks for them by itself, and its own start file."""

    places: tuple[str, ...]
    start: str


_SHELLS = {
    "bash": Shell(
        (
            "{data}/bash-completion/completions/durun",
            "/usr/share/bash-completion/completions/durun",
            "/etc/bash_completion.d/durun",
        ),
        "{home}/.bashrc",
    ),
    "zsh": Shell(
        (
            "{home}/.zfunc/_durun",
            "{data}/zsh/site-functions/_durun",
            "/usr/local/share/zsh/site-functions/_durun",
            "/usr/share/zsh/vendor-completions/_durun",
        ),
        "{zdotdir}/.zshrc",
    ),
    "fish": Shell(
        ("{config}/fish/completions/durun.fish", "/usr/share/fish/vendor_completions.d/durun.fish"),
        "{config}/fish/config.fish",
    ),
}
_LOADER = "/usr/share/bash-completion/bash_completion"
"""Of a package without which bash looks nowhere by itself."""
_ZSH = "fpath+=~/.zfunc; autoload -U compinit; compinit"
"""What zsh must be told to look into a folder in the user's home."""


def completions(here: Here) -> Check:
    """They are there and are this durun's, as far as that can be told: a shell can be told to look anywhere."""
    name = Path(here.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        return _well("there are some for bash, zsh and fish: durun completion --help")
    shell = _SHELLS[name]
    start = _path(here, shell.start)
    if f"durun completion {name}" in _text(start):
        return _well(f"{name} has them by {start}")
    places = [_path(here, place) for place in shell.places]
    looks = name != "bash" or Path(_LOADER).exists()
    found = next((place for place in places if looks and place.is_file()), None)
    if found is None:
        return Check("completions", "ok", f"{name} has none yet", _how(name, places[0], start, looks))
    if _text(found) != SHELLS[name].script:
        hint = f"durun completion {name} > {quote(str(found))}"
        return Check("completions", "warn", f"those of {name} in {found} are of another durun", hint)
    return _well(f"{name} finds them in {found}")


def _how(name: str, place: Path, start: Path, looks: bool) -> str:
    """The command that teaches the shell."""
    if not looks:
        return f"echo 'source <(durun completion bash)' >> {quote(str(start))}"
    made = "" if place.parent.is_dir() else f"mkdir -p {quote(str(place.parent))} && "
    told = f" && echo {quote(_ZSH)} >> {quote(str(start))}" if name == "zsh" and ".zfunc" not in _text(start) else ""
    return f"{made}durun completion {name} > {quote(str(place))}{told}"


def _path(here: Here, place: str) -> Path:
    home = here.environ.get("HOME", "")
    data = here.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    config = here.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    zdotdir = here.environ.get("ZDOTDIR") or home
    return Path(place.format(home=home, data=data, config=config, zdotdir=zdotdir))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _well(message: str) -> Check:
    return Check("completions", "ok", message)
