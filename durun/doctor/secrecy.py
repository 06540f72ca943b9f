"""What secrets rest on: the keyring, durun's own keys, and memory for those that are handed over in files."""

from __future__ import annotations

from durun.doctor.here import Here
from durun.engine.local.secret_files import memory_place
from durun.model.check import Check
from durun.secrets.keyrings import NO_KEYRING
from durun.secrets.keys import OwnKey, SealKey, SigningKey


def keyring(here: Here) -> Check:
    """One that keeps values, and not in clear. All that it gives can be had elsewhere: so its want is no failure."""
    backend = here.keyring.backend()
    if backend.usable:
        return Check("keyring", "ok", f"{backend.name} can be used")
    return Check("keyring", "warn", f"none can be used: {backend.why_not}", NO_KEYRING)


def seal_key(here: Here) -> Check:
    """It can be had, and is in one place only."""
    key = SealKey(here.config.home, here.keyring, here.environ)
    return _own_key("seal_key", key, "it is made when the first secret is sealed")


def signing_key(here: Here) -> Check:
    """It can be had, and is in one place only. What is signed shows a change only to who has a head or the key's id."""
    return _own_key("signing_key", SigningKey(here.config.home, here.keyring, here.environ), "the first run makes it")


def _own_key(name: str, key: OwnKey, until: str) -> Check:
    place = key.place()
    if place is None:
        return Check(name, "ok", f"there is none yet: {until}")
    key.private()
    if (copy := key.left_behind()) is not None:
        return Check(name, "warn", f"it is in {key.place_name()}, and also in {copy}", f"{key.move_command} {place}")
    return Check(name, "ok", f"it is in {key.place_name()}")


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
