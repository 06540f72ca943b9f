"""Reads `secrets`: where each secret of a runbook is found."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from durun.language.diagnostics import Path, did_you_mean
from durun.language.foreign import PROVIDERS
from durun.language.places import steps_with_paths
from durun.language.shelf import Shelf
from durun.language.values import Reader
from durun.model.runbook import Runbook, Secret, TargetsFile
from durun.model.values import Json, Value

BUILT_IN = ("keyring", "env", "file", "command")
GROUP = "durun.secrets"
"""The group of the entry points by which plugins bring providers."""


def read_secrets(reader: Reader, cleaned: Mapping[str, Json], raw: Any, shelf: Shelf) -> dict[str, Secret]:
    """The declared secrets of a file. Of one whose shape is wrong (in `raw` only) the name is there."""
    secrets = {name: Secret("", None) for name in raw if isinstance(name, str)} if isinstance(raw, dict) else {}
    for name, source in cleaned.items():
        provider, spec = next(iter(source.items()), ("", None))
        at = ("secrets", name, provider)
        if not shelf.stored:
            _check_provider(reader, provider, at)
        if provider == "command" and isinstance(spec, dict):
            reader.duration(spec.get("timeout"), (*at, "timeout"))
        secrets[name] = Secret(provider, reader.value(spec, at), reader.locator.line(("secrets", name)), shelf.folder)
    return secrets


def check_files(reader: Reader, runbook: Runbook) -> None:
    """A file with secrets must not be one that is copied into the run, as far as that can be told by its name."""
    for name, secret in runbook.secrets.items():
        if secret.provider == "file":
            _check_file(reader, runbook, secret.spec, f"the secret `{name}`", ("secrets", name, "file"))
    for path, step in steps_with_paths(runbook):
        fan_out = step.fan_out
        if fan_out is not None and fan_out.secret_fields and isinstance(fan_out.source, TargetsFile):
            where = (*path, "targets", "file")
            _check_file(reader, runbook, fan_out.source.path, f"the secret fields of `{step.id}`", where)


def _check_file(reader: Reader, runbook: Runbook, file: Value, what: str, path: Path) -> None:
    if not isinstance(file, str):
        return
    for glob in runbook.files:
        if chosen_by(posixpath.normpath(file), glob):
            hint = "choose the helper files by narrower globs: what is secret is never copied"
            reader.problem(f"`{glob}` in `files` would copy the file with {what} into the run", path, hint)
            return


def chosen_by(name: str, glob: str) -> bool:
    """Whether a glob of `files` chooses a relative path."""
    return _chosen(name.split("/"), posixpath.normpath(glob).split("/"))


def _chosen(parts: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_chosen(parts[skipped:], globs[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _chosen(parts[1:], globs[1:])


def _check_provider(reader: Reader, provider: str, path: Path) -> None:
    if not provider or provider in BUILT_IN or provider in _plugins():
        return
    hint = PROVIDERS.get(provider) or did_you_mean(provider, [*BUILT_IN, *_plugins()])
    known = f"there are {', '.join([*BUILT_IN, *sorted(_plugins())])}; a plugin brings more once it is installed"
    reader.problem(f"there is no provider `{provider}` of secrets", path, hint or known, at_key=True)


def _plugins() -> frozenset[str]:
    """The names of the providers that installed packages bring."""
    from importlib.metadata import entry_points  # only for a name that durun doesn't know itself

    return frozenset(point.name for point in entry_points(group=GROUP))
