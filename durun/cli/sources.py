"""Runbook files named on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durun.engine.api import Source
from durun.errors import UsageError
from durun.language.inputs import given_inputs, read_inputs_file
from durun.language.load import load, read_file
from durun.model.event import RunCreated
from durun.model.runbook import Runbook
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.model.plugin import Plugin


def open_source(path: str, quiet: bool = False) -> Source:
    """Read and check a runbook; its warnings go to stderr. Raises InvalidRunbook, UsageError."""
    file = Path(path)
    try:
        folder = str(file.absolute().parent)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: the working directory is gone", "cd to a folder that is there") from error
    loaded = load(read_file(path), path, folder, plugin=describe)
    if not quiet:
        for warning in loaded.warnings:
            sys.stderr.write(f"{warning}\n")
    return Source(loaded.runbook, path, folder)


def describe(name: str) -> Plugin:
    """What an installed plugin says of its action. Raises CannotStart."""
    from durun.plugins.described import describe as ask  # few runbooks use plugins

    return ask(name)


def is_file(word: str) -> bool:
    """Whether the word means a runbook's file rather than a run."""
    if "/" in word or word.endswith((".yaml", ".yml")):
        return True
    try:
        return Path(word).is_file()
    except OSError:  # no name of a file at all, such as one that is too long
        return False


def file_of(created: RunCreated) -> Path:
    """Where the runbook of a run stood when the run was started."""
    return Path(created.place) / Path(created.file).name


def differing_now(created: RunCreated) -> list[Path]:
    """The runbook's file, and those that it includes, that are there and no longer what the run was started with."""
    texts = {file_of(created): created.text}
    texts |= {Path(os.path.normpath(f"{created.place}/{path}")): text for path, text in created.included.items()}
    return [path for path, text in texts.items() if _is_other(path, text)]


def _is_other(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() != text.encode()
    except OSError:
        return False


def given_so_far(runbook: Runbook, pairs: Sequence[str], file: str | None) -> Mapping[str, Json]:
    """The inputs that are not secret, of a runbook that is only looked at: those that it requires may be missing."""
    optional = {name: declared._replace(required=False) for name, declared in runbook.inputs.items()}
    asked = runbook._replace(inputs=optional)
    return given_inputs(pairs, None if file is None else read_inputs_file(file, runbook), asked).plain


def scope_of(runbook: Runbook, inputs: Mapping[str, Json]) -> dict[str, Any]:
    """What expressions may ask before there is a run."""
    return {"inputs": inputs, "env": {name: os.environ[name] for name in runbook.env_names if name in os.environ}}
