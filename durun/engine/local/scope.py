"""A systemd scope of its own for the supervisor, so that it outlives the session or service that began the run.

Where a whole control group is killed (systemd's default KillMode, logind's KillUserProcesses), nothing in it
outlives that, whatever its process group or session. The supervisor asks the service manager to move it, as
`systemd-run --scope` does for itself: with StartTransientUnit and its own pid. So nothing is lost where that
fails. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from durun.engine.local.procs import control_group

_PATIENCE = 2.0


def scope_available() -> bool:
    """Whether a service manager that would give us a scope can be reached. Costs next to nothing without systemd."""
    if not Path("/run/systemd/system").is_dir():
        return False
    import shutil  # only where systemd is: every start would pay for it

    if shutil.which("busctl") is None:
        return False
    return os.geteuid() == 0 or (_runtime_folder() / "bus").exists()


def enter_scope(name: str) -> bool:
    """Move this process into the scope `name`.scope, which ends with its last process; False if that can't be.

    Waits for the service manager, a few seconds at most.
    """
    if not scope_available():
        return False
    try:
        asked = subprocess.run(
            command(name, os.getpid()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "XDG_RUNTIME_DIR": str(_runtime_folder())},
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and _arrived(name)


def _arrived(name: str) -> bool:
    """Whether we are there: the manager answers before it moves anybody, and a step must not start too early."""
    until = time.monotonic() + _PATIENCE
    while f"/{name}.scope" not in control_group("self"):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def command(name: str, pid: int) -> list[str]:
    """The call of org.freedesktop.systemd1.Manager's StartTransientUnit, signature ssa(sv)a(sa(sv))."""
    manager = "--system" if os.geteuid() == 0 else "--user"
    bus, path, interface = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
    properties = ["2", "PIDs", "au", "1", str(pid), "CollectMode", "s", "inactive-or-failed"]
    call = [bus, path, interface, "StartTransientUnit", "ssa(sv)a(sa(sv))", f"{name}.scope", "fail", *properties, "0"]
    return ["busctl", manager, "--quiet", "call", *call]


def _runtime_folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
