"""What processes leave behind, and what ends them."""

from __future__ import annotations

import resource

from durun.doctor.here import Here
from durun.engine.local.scope import scope_available
from durun.errors import Unsafe
from durun.model.check import Check
from durun.secrets.cores import forbid_core_dumps


def core_dumps(here: Here) -> Check:
    """A process that handles secrets leaves no core file."""
    forbid_core_dumps()
    if resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1:
        return Check("core_dumps", "ok", "processes that handle secrets leave none")
    message = "they can't be turned off: a crash could write secrets to the disk"
    return Check("core_dumps", "fail", message, "before durun: ulimit -c 0", Unsafe.exit_code)


def sessions(here: Here) -> Check:
    """Steps outlive the session or the service in which durun was started."""
    if scope_available():
        return Check("sessions", "ok", "what runs outlives a logout, in a systemd scope of its own")
    return Check(
        "sessions",
        "warn",
        "there is no systemd here that keeps what runs when a session, a service or a container is ended",
        "let runs end before that; else what ran then is in doubt for `durun resume`",
    )
