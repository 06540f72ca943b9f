"""What ends the processes of a run."""

from __future__ import annotations

from durun.doctor.here import Here
from durun.engine.local.scope import scope_available
from durun.model.check import Check


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
