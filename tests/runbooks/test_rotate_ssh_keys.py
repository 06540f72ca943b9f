"""The ssh runbook, for real: what counts is with which keys one can log in, whatever durun says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemons.keyring import Keyring, needs_keyring, unlocked_keyring  # noqa: F401
from daemons.sshd import Account, Sshd
from stored import everything

pytestmark = needs_keyring

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "rotate-ssh-keys.yaml"
HOOK = "./rotate-ssh-keys/hooks/install-file.sh"


class Rotation:
    """An inventory of all accounts, whose first keys are in the keyring; the first account's key has a user here."""

    def __init__(self, durun: Any, sshd: Sshd, keyring: Keyring, folder: Path) -> None:
        self.durun, self.sshd, self.keyring = durun, sshd, keyring
        self.installed = folder / "id_first"
        self.inventory = folder / "inputs.json"
        durun.environment |= keyring.env
        for account in sshd.accounts:
            # As `durun secret set … < file` does it: without the last newline.
            keyring.put("ssh", account.user, account.private.rstrip("\n"))
        self.write([sshd.target(account) for account in sshd.accounts])

    def write(self, targets: list[dict[str, Any]]) -> None:
        targets[0] |= {"reload_hook": HOOK, "install_as": str(self.installed)}
        self.inventory.write_text(json.dumps({"accounts": targets}))

    @property
    def command(self) -> tuple[object, ...]:
        return ("run", RUNBOOK, "--inputs", self.inventory)

    def stored(self, account: Account, which: str = "") -> str:
        (value,) = self.keyring.all("ssh")[account.user + which]
        return value

    def is_done(self) -> None:
        """Each account accepts the stored key and no other, whose public half is its only one."""
        stored = everything(self.durun.home)
        for account in self.sshd.accounts:
            new, old = self.stored(account), self.stored(account, ".previous")
            assert new != old
            assert self.sshd.accepts(account, new)
            assert not self.sshd.accepts(account, old)
            assert len(account.authorized) == 2
            for line in new.splitlines()[1:-1]:
                assert line.encode() not in stored


@pytest.fixture
def rotation(durun: Any, sshd: Sshd, unlocked_keyring: Keyring, tmp_path: Path) -> Rotation:  # noqa: F811
    return Rotation(durun, sshd, unlocked_keyring, tmp_path)


def test_every_account_gets_one_new_key_and_loses_the_old_one(durun: Any, rotation: Rotation) -> None:
    first = {account.user: account.private for account in rotation.sshd.accounts}
    durun(*rotation.command)
    rotation.is_done()
    for account in rotation.sshd.accounts:
        assert rotation.stored(account, ".previous") == first[account.user].rstrip("\n")
    assert rotation.sshd.accounts[-1].authorized[1].startswith('from="127.0.0.1,::1",no-port-forwarding ssh-ed25519 ')
    # What its user has is what is stored.
    installed = rotation.installed.read_text()
    assert installed.strip() == rotation.stored(rotation.sshd.accounts[0]).strip()
    assert rotation.installed.stat().st_mode & 0o777 == 0o600
    assert (
        subprocess.run(["ssh-keygen", "-y", "-f", str(rotation.installed)], stdout=subprocess.DEVNULL).returncode == 0
    )

    durun(*rotation.command)
    rotation.is_done()


def test_killed_in_the_middle_every_account_still_gets_one_new_key(
    durun: Any, rotation: Rotation, kill_after: Callable[..., None]
) -> None:
    kill_after(durun.start(*rotation.command), "add", 2)
    for account in rotation.sshd.accounts:
        # Whatever has happened so far: whoever has the stored key can log in.
        assert rotation.sshd.accepts(account, rotation.stored(account))
    durun("resume", durun.run_id())
    rotation.is_done()
    public = [line for account in rotation.sshd.accounts for line in account.authorized[1:]]
    assert all(line.split()[-1].endswith(durun.run_id()) for line in public)


def test_an_account_whose_server_shows_another_key_stops_the_rest(durun: Any, rotation: Rotation) -> None:
    targets = [rotation.sshd.target(account) for account in rotation.sshd.accounts]
    good = targets[0]["host_key"]
    targets[0]["host_key"] = good[:-8] + good[-8:].swapcase()
    rotation.write(targets)
    before = [account.authorized for account in rotation.sshd.accounts]
    durun(*rotation.command, code=1)
    assert "Host key verification failed" in durun("logs", durun.run_id(), "old_key")
    assert [account.authorized for account in rotation.sshd.accounts] == before


def test_an_account_without_a_stored_key_stops_the_run_before_its_first_effect(durun: Any, rotation: Rotation) -> None:
    targets = [rotation.sshd.target(account) for account in rotation.sshd.accounts]
    targets[-1]["name"] = "unknown"
    rotation.write(targets)
    before = [account.authorized for account in rotation.sshd.accounts]
    said = durun(*rotation.command, code=9)
    assert "unknown" in said
    assert [account.authorized for account in rotation.sshd.accounts] == before
