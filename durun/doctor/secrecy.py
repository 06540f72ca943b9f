"""What secrets rest on: the keyring, durun's own key, and memory for those that are handed over in files."""

from __future__ import annotations

from durun.doctor.here import Here
from durun.engine.local.secret_files import memory_place
from durun.model.check import Check
from durun.secrets.keys import SealKey


def keyring(here: Here) -> Check:
    """One that keeps values, and not in clear. All that it gives can be had elsewhere: so its want is no failure."""
    backend = here.keyring.backend()
    if backend.usable:
        return Check("keyring", "ok", f"{backend.name} can be used")
    return Check(
        "keyring",
        "warn",
        f"none can be used: {backend.why_not}",
        "secrets can also come from `env`, `file` (also a systemd credential) or `command`",
    )


def seal_key(here: Here) -> Check:
    """It can be had, and is in one place only."""
    key = SealKey(here.config.home, here.keyring, here.environ)
    place = key.place()
    if place is None:
        return Check("seal_key", "ok", "there is none yet: it is made when the first secret is sealed")
    key.private()
    if (copy := key.left_behind()) is not None:
        return Check(
            "seal_key", "warn", f"it is in {key.place_name()}, and also in {copy}", f"durun secret key --move {place}"
        )
    return Check("seal_key", "ok", f"it is in {key.place_name()}")


def secret_files(here: Here) -> Check:
    """There is a file system in memory for them."""
    place = memory_place()
    if place is not None:
        return Check("secret_files", "ok", f"they are written to {place} (in memory)")
    return Check(
        "secret_files",
        "warn",
        "there is no file system in memory (tmpfs): a step with `secret_files` can't be started",
        "mount a tmpfs on /dev/shm, or set XDG_RUNTIME_DIR to a folder on one",
    )
