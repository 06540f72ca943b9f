"""`durun secret key`, with a real keyring and without any."""

from __future__ import annotations

import base64
import json

import pytest

from daemons.keyring import Keyring, needs_keyring, unlocked_keyring

__all__ = ["unlocked_keyring"]


@pytest.fixture
def real(unlocked_keyring: Keyring, monkeypatch) -> Keyring:
    for name, value in unlocked_keyring.env.items():
        monkeypatch.setenv(name, value)
    return unlocked_keyring


@pytest.fixture
def none(monkeypatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def test_as_long_as_there_is_none_it_says_so(durun, home, none):
    assert durun("secret", "key").out == "there is no seal key yet: it is made when the first secret is sealed\n"
    assert json.loads(durun("secret", "key", "--json").out) == {"schema": 1, "place": None, "at": ""}
    assert not home.exists()


def test_it_can_be_put_into_a_file_before_it_is_needed(durun, home, none):
    ran = durun("secret", "key", "--move", "file")
    assert (ran.code, ran.out) == (0, f"durun's seal key is in {home}/seal.key\n")
    assert (home / "seal.key").stat().st_mode & 0o7777 == 0o600


def test_no_keyring_takes_it_where_there_is_none(durun, home, none):
    durun("secret", "key", "--move", "file")
    before = (home / "seal.key").read_bytes()
    ran = durun("secret", "key", "--move", "keyring")
    assert ran.code == 9
    assert "keyring" in ran.err
    assert (home / "seal.key").read_bytes() == before
    assert durun("secret", "key").out == f"durun's seal key is in {home}/seal.key\n"


def test_another_place_is_a_mistake(durun, none):
    ran = durun("secret", "key", "--move", "cloud")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "durun: the key can't be moved to `cloud`",
        "  hint: --move keyring, or --move file",
    ]


def test_the_key_that_signs_is_shown_with_its_public_half(durun, home, none):
    assert durun("secret", "key", "--signing").out == "there is no signing key yet: the first run makes it\n"
    said = durun("secret", "key", "--signing", "--move", "file").out
    place, named, *pem = said.splitlines()
    assert place == f"durun's signing key is in {home}/sign.key"
    found = json.loads(durun("secret", "key", "--signing", "--json").out)
    assert found == {
        "schema": 1,
        "place": "file",
        "at": f"{home}/sign.key",
        "key": named.removeprefix("its id is "),
        "pem": "".join(f"{line}\n" for line in pem),
    }
    assert pem[0] == "-----BEGIN PUBLIC KEY-----"


@needs_keyring
def test_it_goes_into_a_real_keyring_and_out_of_it_again(durun, home, real):
    durun("secret", "key", "--move", "file")
    private = (home / "seal.key").read_text().strip()
    assert len(base64.b64decode(private)) == 32

    ran = durun("secret", "key", "--move", "keyring")
    [(username, values)] = real.all("durun").items()
    assert values == [private]
    assert ran.out == f"durun's seal key is in the keyring (service durun, username {username})\n"
    assert not (home / "seal.key").exists()
    assert json.loads(durun("secret", "key", "--json").out)["place"] == "keyring"
    assert "ok    seal key         it is in the keyring" in durun("doctor").out

    ran = durun("secret", "key", "--move", "file")
    assert ran.code == 0
    assert (home / "seal.key").read_text().strip() == private
    assert real.all("durun") == {}


@needs_keyring
def test_a_locked_keyring_keeps_it_and_is_not_waited_for(durun, home, real):
    durun("secret", "key", "--move", "keyring")
    real.lock()
    ran = durun("secret", "key", "--move", "file")
    assert ran.code == 9
    assert "the keyring is locked" in ran.err
    assert not (home / "seal.key").exists()
    found = durun("doctor")
    assert found.code == 9
    assert "fail  seal key" in found.out
