"""Every keyring keeps this contract: the real one behind a worker, and the double that other tests trust."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.keyring import needs_keyring, start_keyring
from doubles import KeyringDouble
from durun.secrets.api import Keyring
from durun.secrets.keyrings import WorkerKeyring

HARD = {
    "spaces": "  two  spaces ",
    "newlines": "-----BEGIN KEY-----\nabc\n-----END KEY-----\n",
    "quotes": "a'b\"c\\d$e`f",
    "umlauts": "Schlüssel – 鍵 – 🔑",
    "control characters": "\x01\x1b[31m\t\r\x7f",
    "large": "x" * (1 << 20),
}


@pytest.fixture(params=[pytest.param("worker", marks=needs_keyring), "double"])
def keyring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keyring]:
    if request.param == "double":
        yield KeyringDouble(tmp_path / "keyring")
        return
    with start_keyring(tmp_path) as daemon:
        found = WorkerKeyring(daemon.env)
        yield found
        found.close()


def test_it_can_be_used(keyring):
    backend = keyring.backend()
    assert backend.usable
    assert backend.name
    assert backend.why_not == ""


def test_what_was_never_put_is_none(keyring):
    assert keyring.get("db", "app") is None


@pytest.mark.parametrize("value", HARD.values(), ids=HARD)
def test_what_was_put_comes_back_as_it_was(keyring, value):
    keyring.put("db", "app", value)
    assert keyring.get("db", "app") == value


def test_names_are_text_too(keyring):
    keyring.put("Datenbank – 1", 'O\'Brien "x"', "one")
    assert keyring.get("Datenbank – 1", 'O\'Brien "x"') == "one"


def test_the_last_value_counts(keyring):
    keyring.put("db", "app", "old")
    keyring.put("db", "app", "new")
    assert keyring.get("db", "app") == "new"


def test_values_are_kept_by_both_names(keyring):
    keyring.put("db", "app", "one")
    keyring.put("db", "web", "two")
    keyring.put("cache", "app", "three")
    assert [keyring.get("db", "app"), keyring.get("db", "web"), keyring.get("cache", "app")] == ["one", "two", "three"]


def test_what_is_deleted_is_gone_and_a_second_time_it_was_not_there(keyring):
    keyring.put("db", "app", "one")
    keyring.put("db", "web", "two")
    assert keyring.delete("db", "app") is True
    assert keyring.get("db", "app") is None
    assert keyring.delete("db", "app") is False
    assert keyring.get("db", "web") == "two"


def test_what_was_deleted_can_be_put_again(keyring):
    keyring.put("db", "app", "one")
    keyring.delete("db", "app")
    keyring.put("db", "app", "two")
    assert keyring.get("db", "app") == "two"


def test_after_close_it_is_there_again(keyring):
    keyring.put("db", "app", "one")
    keyring.close()
    keyring.close()
    assert keyring.get("db", "app") == "one"
