"""The helper of the ssh runbook against a real sshd."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "runbooks" / "rotate-ssh-keys" / "account.sh"


class Hand:
    """Calls the helper as a step of the runbook does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, target: dict[str, Any], what: str, private: str, **env: str) -> subprocess.CompletedProcess[str]:
        key, self.output = self._folder / secrets.token_hex(4), self._folder / "output"
        key.touch(mode=0o600)
        key.write_text(private)
        given = {f"TARGET_{name.upper()}": str(value) for name, value in target.items()}
        own = {
            "KEY_FILE": str(key),
            "DURUN_OUTPUT": str(self.output),
            "DURUN_WORK": str(self._folder),
            "DURUN_IDEMPOTENCY_KEY": secrets.token_hex(16),
        }
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), **given, **own, **env}
        return subprocess.run(
            [SCRIPT, what], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def _pair(folder: Path) -> tuple[str, str]:
    from daemons.sshd import new_key

    return new_key(folder / f"new-{secrets.token_hex(4)}")


def test_the_new_key_comes_beside_the_old_one_and_then_the_old_one_goes(sshd: Any, tmp_path: Path, hand: Hand) -> None:
    account = sshd.accounts[-1]
    target, (private, public) = sshd.target(account), _pair(tmp_path)
    before = account.authorized
    found = hand(target, "find", account.private)
    assert found.returncode == 0, found.stderr
    old = hand.output.read_text().removeprefix("public=").strip()
    keys = {"OLD": old, "NEW": f"{public} new-comment"}
    assert hand(target, "prove", private).returncode == 255
    assert hand(target, "remove", account.private, **keys).returncode == 1  # the new one is not there yet
    for _ in range(2):
        assert hand(target, "add", account.private, **keys).returncode == 0
        # With the options of the old one.
        assert account.authorized == [*before, before[-1].replace(f"{old} first", f"{public} new-comment")]
    assert sshd.accepts(account, account.private) and sshd.accepts(account, private)
    for _ in range(2):
        removed = hand(target, "remove", private, **keys)
        assert removed.returncode == 0, removed.stderr
        assert account.authorized == ["# keys", before[-1].replace(f"{old} first", f"{public} new-comment")]
    assert not sshd.accepts(account, account.private) and sshd.accepts(account, private)
    assert sorted(path.name for path in (account.home / ".ssh").iterdir()) == [
        ".authorized_keys.lock",
        "authorized_keys",
    ]
    assert (account.home / ".ssh" / "authorized_keys").stat().st_mode & 0o777 == 0o600


def test_other_lines_stay_as_they_are(sshd: Any, tmp_path: Path, hand: Hand) -> None:
    account, (private, public) = sshd.accounts[0], _pair(tmp_path)
    old = account.authorized[1].removesuffix(" first")
    file = account.home / ".ssh" / "authorized_keys"
    others = [
        f"# {old} in a comment",
        'from="a b" ssh-rsa AAAAB3Nza other',
        f'from="x {old} y" ssh-rsa A',
        "",
        f"{old}A",
    ]
    options = f'  no-pty,environment="A=\\"{old} \\" {old} " '
    file.write_text("\n".join([*others, f"{options}{old}", f"{old} again"]))
    keys = {"OLD": old, "NEW": f"{public} c"}
    assert hand(sshd.target(account), "add", account.private, **keys).returncode == 0
    assert account.authorized == [*others, f"{options}{old}", f"{options}{public} c", f"{old} again"]
    assert hand(sshd.target(account), "remove", private, **keys).returncode == 0
    assert account.authorized == [*others, f"{options}{public} c"]


def test_a_server_with_another_host_key_gets_nothing(sshd: Any, tmp_path: Path, hand: Hand) -> None:
    account = sshd.accounts[0]
    target = {**sshd.target(account), "host_key": _pair(tmp_path)[1]}
    said = hand(target, "find", account.private)
    assert said.returncode == 255
    assert "Host key verification failed" in said.stderr


def test_a_stored_key_that_is_not_in_authorized_keys_is_refused(sshd: Any, tmp_path: Path, hand: Hand) -> None:
    said = hand(sshd.target(sshd.accounts[0]), "find", sshd.accounts[1].private)
    assert said.returncode == 255
    assert "Permission denied" in said.stderr


def test_a_key_with_a_passphrase_is_refused_without_asking(sshd: Any, tmp_path: Path, hand: Hand) -> None:
    file = tmp_path / "guarded"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret-phrase", "-f", str(file)], check=True)
    said = hand(sshd.target(sshd.accounts[0]), "find", file.read_text())
    assert said.returncode == 1
    assert "passphrase" in said.stderr


@pytest.mark.parametrize("name", ["OLD", "NEW"])
def test_a_key_that_would_be_code_on_the_other_side_is_refused(
    sshd: Any, tmp_path: Path, hand: Hand, name: str
) -> None:
    account = sshd.accounts[0]
    keys = {"OLD": "ssh-ed25519 AAAA", "NEW": "ssh-ed25519 AAAA c", name: "ssh-ed25519 AAAA '; touch here; '"}
    said = hand(sshd.target(account), "add", account.private, **keys)
    assert said.returncode == 1
    assert "is no plain public key" in said.stderr
    assert not (account.home / "here").exists()


def test_half_of_the_script_changes_nothing(sshd: Any, tmp_path: Path) -> None:
    """The line breaks in the middle: the other side has a part of it, and the end of its input."""
    account = sshd.accounts[0]
    old = account.authorized[1].removesuffix(" first")
    whole = f"what=add old='{old}' new='{_pair(tmp_path)[1]} c'\n" + SCRIPT.with_name("remote.sh").read_text()
    before = account.authorized
    for part in (whole[: len(whole) // 2], whole[: whole.rindex("main")]):
        subprocess.run(["sh", "-s"], input=part, env={"HOME": str(account.home)}, text=True, capture_output=True)
        assert account.authorized == before
