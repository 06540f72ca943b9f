"""Asks what a plugin says of itself: in a process of its own, for its code may do anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from durun.errors import CannotStart
from durun.model.plugin import Plugin, plugin_of
from durun.plugins.installed import ACTIONS, installed

LIMIT: Final = 10.0
"""Seconds that a plugin may take to be loaded."""
MAX_SAID: Final = 256 << 10
"""Bytes of what it says of itself: they are kept with every run."""


@lru_cache(maxsize=256)
def describe(name: str) -> Plugin:
    """The action of this name. Raises CannotStart: there is none, or it can't be used."""
    return plugin_of(ask(ACTIONS, name))


def ask(group: str, name: str, limit: float | None = None) -> Mapping[str, Any]:
    """What a plugin says of itself, in any group. Raises CannotStart."""
    limit = LIMIT if limit is None else limit
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "durun.plugins.describer", group, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, wrong = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise _refused(group, name, f"it is not loaded within {limit:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    if not said:
        raise _refused(group, name, _how(process.returncode, wrong))
    if len(said) > MAX_SAID:
        raise _refused(group, name, f"it says more than {MAX_SAID >> 10} KiB of itself")
    answer: dict[str, Any] = json.loads(said)
    if "error" in answer:
        raise CannotStart(answer["error"], answer["hint"])
    return answer


def _how(code: int, wrong: bytes) -> str:
    """How a process ended that should have answered."""
    last = wrong.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"loading it ended the process by {ended}{f' ({last})' if last else ''}"


def _refused(group: str, name: str, why: str) -> CannotStart:
    found = next(iter(installed(group, name)), None)
    package = found.code if found is not None else "?"
    return CannotStart(f"{name}, of {package}, can't be used: {why}", f"see to the package {package.partition(' ')[0]}")
