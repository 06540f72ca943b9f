from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from doubles import KeyringDouble
from durun.errors import NotAllowed, SecretUnavailable, StorageFailed, UsageError
from durun.secrets.stored import Name, Stored

APP, WEB = Name("db", "app"), Name("db", "web")


@pytest.fixture
def stored(home: Path, keyring: KeyringDouble) -> Stored:
    return Stored(home, keyring)


def test_what_is_put_is_in_the_keyring_and_in_the_list(stored, keyring):
    assert stored.put(WEB, "one") is True
    assert stored.put(APP, "two") is True
    assert keyring.get("db", "app") == "two"
    assert stored.names() == [APP, WEB]


def test_the_list_has_names_only_and_is_its_owners_alone(stored, home):
    stored.put(APP, "hunter22")
    (path,) = home.iterdir()
    assert "hunter22" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_value_again_is_not_written(stored, keyring):
    stored.put(APP, "one")
    keyring.forgetful = True  # else the read-back would tell
    assert stored.put(APP, "one") is False


def test_a_keyring_that_does_not_keep_it_is_found_out(stored, keyring):
    keyring.forgetful = True
    with pytest.raises(SecretUnavailable, match=r"the keyring \(double\) did not keep the value for service db"):
        stored.put(APP, "hunter22")


def test_the_name_is_in_the_list_before_the_value_is_in_the_keyring(stored, keyring, home, monkeypatch):
    monkeypatch.setattr(keyring, "put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stored.put(APP, "one")
    assert stored.names() == [APP]


def test_what_is_deleted_is_in_neither(stored, keyring):
    stored.put(APP, "one")
    assert stored.delete(APP) is True
    assert keyring.get("db", "app") is None
    assert stored.names() == []
    assert stored.delete(APP) is False


def test_what_others_put_can_be_deleted(stored, keyring):
    keyring.put("db", "app", "one")
    assert stored.delete(APP) is True


@pytest.mark.parametrize("name", [Name("", "app"), Name("db", ""), Name("d\0b", "app"), Name("db", "a\udcff")])
def test_names_are_text(stored, name):
    for call in (lambda: stored.put(name, "one"), lambda: stored.delete(name), lambda: stored.get(name)):
        with pytest.raises(UsageError):
            call()


@pytest.mark.parametrize("value", ["", "a\0b", "x" * ((1 << 20) + 1), "\udcff"])
def test_a_value_that_is_none_is_refused_before_anything_is_done(stored, keyring, home, value):
    with pytest.raises(SecretUnavailable):
        stored.put(APP, value)
    assert keyring.entries() == {}
    assert list(home.iterdir()) == []


def test_duruns_own_key_is_left_alone(stored):
    for call in (lambda: stored.put(Name("durun", "x"), "one"), lambda: stored.delete(Name("durun", "x"))):
        with pytest.raises(NotAllowed, match="durun keeps its own key"):
            call()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2, "names": []}', '{"version": 1, "names": [1]}'])
def test_a_list_that_can_t_be_understood_is_left_alone(stored, home, content):
    path = home / "keyring.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(StorageFailed, match=r"keyring\.json is not a list"):
        stored.names()
    with pytest.raises(StorageFailed):
        stored.put(APP, "one")
    assert path.read_text() == content


MANY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from doubles import KeyringDouble
from durun.secrets.stored import Name, Stored
stored = Stored(Path(sys.argv[2]), KeyringDouble(Path(sys.argv[3])))
for number in range(20):
    stored.put(Name("db", f"{sys.argv[4]}-{number:02}"), "x")
"""


def test_many_at_once_are_all_in_the_list(stored, home, tmp_path):
    tests = str(Path(__file__).parents[2])
    argv = [sys.executable, "-c", MANY, tests, str(home), str(tmp_path / "keyring")]
    started = [subprocess.Popen([*argv, f"p{number}"]) for number in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    assert len(stored.names()) == 80
