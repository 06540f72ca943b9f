from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from daemons.keyring import Keyring, needs_keyring, unlocked_keyring
from durun.secrets.stored import Name, Stored

__all__ = ["unlocked_keyring"]
HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]


class Step:
    """The process of a `secret` step, with the caller's variables."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.home = home
        self._env = {"PYTHONPATH": f"{ROOT}:{HERE}", "DURUN_HOME": str(home), **env}

    def __call__(self, verb: str, **asked: str) -> tuple[int, str, str]:
        argv = [sys.executable, "-P", "-m", "durun.secrets.step", verb]
        said = {"service": "db", "username": "app", **asked}
        ran = subprocess.run(argv, input=json.dumps(said), env=self._env, capture_output=True, text=True)
        return ran.returncode, ran.stdout, ran.stderr

    @property
    def names(self) -> list[Name]:
        return Stored(self.home, None).names()  # type: ignore[arg-type]


@pytest.fixture
def step(home: Path, unlocked_keyring: Keyring) -> Step:
    return Step(home, unlocked_keyring.env)


pytestmark = needs_keyring


def test_put_stores_and_says_so_without_the_value(step, unlocked_keyring):
    assert step("put", value="hunter22") == (0, "stored: service db, username app\n", "")
    assert unlocked_keyring.all("db") == {"app": ["hunter22"]}
    assert step.names == [Name("db", "app")]


def test_put_again_is_done(step, unlocked_keyring):
    step("put", value="hunter22")
    assert step("put", value="hunter22")[:2] == (0, "stored before: service db, username app\n")
    assert step("put", value="hunter33")[0] == 0
    assert unlocked_keyring.all("db") == {"app": ["hunter33"]}


def test_a_value_keeps_its_newlines(step, unlocked_keyring):
    step("put", value="\nhunter22\n\n")
    assert unlocked_keyring.get("db", "app") == "\nhunter22\n\n"


def test_delete_removes_and_what_is_not_there_is_done(step, unlocked_keyring):
    step("put", value="hunter22")
    assert step("delete") == (0, "deleted: service db, username app\n", "")
    assert unlocked_keyring.get("db", "app") is None
    assert step("delete") == (0, "not there: service db, username app\n", "")
    assert step.names == []


def test_whether_it_is_put(step):
    assert step("is_put", value="hunter22")[:2] == (1, "nothing: service db, username app\n")
    step("put", value="hunter33")
    assert step("is_put", value="hunter22")[:2] == (1, "another: service db, username app\n")
    step("put", value="hunter22")
    assert step("is_put", value="hunter22")[:2] == (0, "stored: service db, username app\n")


def test_whether_it_is_deleted(step):
    assert step("is_deleted")[0] == 0
    step("put", value="hunter22")
    assert step("is_deleted")[:2] == (1, "still there: service db, username app\n")


@pytest.mark.fault(30)
@pytest.mark.parametrize("verb", ["put", "delete", "is_put", "is_deleted"])
def test_of_a_locked_keyring_nobody_can_tell_and_nothing_is_done(step, unlocked_keyring, verb):
    unlocked_keyring.lock()
    code, out, err = step(verb, value="hunter22")
    assert (code, out) == (9, "")
    assert err.startswith("durun: the keyring is locked, and nobody can unlock it here\n  hint: ")
    assert "hunter22" not in err


def test_a_keyring_that_forgets_is_found_out(home):
    step = Step(home, {"PYTHON_KEYRING_BACKEND": "odd_keyrings.ForgetfulKeyring"})
    code, _, err = step("put", value="hunter22")
    assert code == 9
    assert "did not keep the value for service db, username app" in err


def test_an_error_of_the_backend_does_not_hold_the_value(home):
    _code, out, err = Step(home, {"PYTHON_KEYRING_BACKEND": "odd_keyrings.CantStore"})("put", value="hunter22")
    assert "hunter22" not in out + err


def test_an_empty_value_is_refused(step, unlocked_keyring):
    code, _, err = step("put", value="")
    assert code == 9
    assert "the value for service db, username app is empty" in err
    assert unlocked_keyring.all("db") == {}
