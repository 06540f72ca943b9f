"""All checks, in the order in which they are shown. A check that raises a DurunError has failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from durun.doctor import clock, completions, installed, processes, secrecy, sharing, state, variables
from durun.doctor.here import Here
from durun.errors import DurunError, Unsafe
from durun.model.check import Check

CHECKS: Mapping[str, Callable[[Here], Check]] = {
    "state_directory": state.directory,
    "room": state.room,
    "permissions": state.permissions,
    "journal": state.journal,
    "sharing": sharing.sharing,
    "keyring": secrecy.keyring,
    "seal_key": secrecy.seal_key,
    "signing_key": secrecy.signing_key,
    "secret_files": secrecy.secret_files,
    "core_dumps": processes.core_dumps,
    "sessions": processes.sessions,
    "clock": clock.clock,
    "variables": variables.variables,
    "plugins": installed.plugins,
    "completions": completions.completions,
}


def examine(here: Here) -> list[Check]:
    """What every check found."""
    return [_examined(name, check, here) for name, check in CHECKS.items()]


def _examined(name: str, check: Callable[[Here], Check], here: Here) -> Check:
    try:
        return check(here)
    except DurunError as error:
        return Check(name, "fail", error.message, error.hint, error.exit_code)
    except OSError as error:
        message = f"it can't be looked at: {error.filename}: {error.strerror}"
        return Check(name, "fail", message, "see who may read it: ls -ld", Unsafe.exit_code)
