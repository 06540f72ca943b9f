from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from doubles import KeyringDouble
from durun.errors import SecretUnavailable
from durun.secrets.providers import Resolver


class Place:
    """A runbook's folder, a home and a folder of credentials, with a resolver over them."""

    def __init__(self, folder: Path) -> None:
        self.runbook, self.home, self.credentials = (folder / name for name in ("runbook", "home", "credentials"))
        for made in (self.runbook, self.home, self.credentials):
            made.mkdir()
        self.environ = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
        }
        self.keyring = KeyringDouble(folder / "keyring")

    def get(self, provider: str, spec: Any) -> str:
        resolver = Resolver(str(self.runbook), self.environ, self.keyring)
        try:
            return resolver.get("x", provider, spec)
        finally:
            resolver.close()

    def refusal(self, provider: str, spec: Any) -> tuple[str, str]:
        with pytest.raises(SecretUnavailable) as caught:
            self.get(provider, spec)
        return caught.value.message, caught.value.hint


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def secret_file(path: Path, text: str = "hunter22\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_relative_file_is_relative_to_the_runbook(place):
    (place.runbook / "private").mkdir()
    secret_file(place.runbook / "private" / "x")
    assert place.get("file", "private/x") == "hunter22"


def test_a_file_of_the_callers_home(place):
    secret_file(place.home / "x")
    assert place.get("file", "~/x") == "hunter22"


def test_a_file_by_its_whole_path(place, tmp_path):
    assert place.get("file", str(secret_file(tmp_path / "x"))) == "hunter22"


def test_a_bare_name_is_a_credential_before_it_is_a_file_beside_the_runbook(place):
    secret_file(place.runbook / "x", "beside")
    assert place.get("file", "x") == "beside"
    secret_file(place.credentials / "x", "credential", 0o400)
    assert place.get("file", "x") == "credential"


def test_a_name_with_a_slash_is_no_credential(place):
    secret_file(place.credentials / "x", "credential", 0o400)
    assert "there is no " in place.refusal("file", "./x")[0]


def test_a_credential_that_is_open_to_others_is_no_reason_to_take_the_file_beside_the_runbook(place):
    secret_file(place.runbook / "x")
    bad = secret_file(place.credentials / "x", mode=0o644)
    assert place.refusal("file", "x")[0] == f"secret x: {bad} is open to other users (mode 0644)"


def test_a_credential_may_have_a_mask_for_the_group_and_other_files_may_not(place, tmp_path):
    """systemd lets a service's user in by an ACL, whose mask shows as the group's bits."""
    secret_file(place.credentials / "x", mode=0o440)
    assert place.get("file", "x") == "hunter22"
    assert place.get("file", str(place.credentials / "x")) == "hunter22"
    assert "mode 0440" in place.refusal("file", str(secret_file(tmp_path / "x", mode=0o440)))[0]


def test_a_missing_file_says_everywhere_it_was_looked_for(place):
    message, _ = place.refusal("file", "x")
    assert message == f"secret x: there is no {place.credentials / 'x'} and no {place.runbook / 'x'}"


def test_a_link_is_not_followed(place, tmp_path):
    (place.runbook / "x").symlink_to(secret_file(tmp_path / "elsewhere"))
    assert "is a symbolic link" in place.refusal("file", "x")[0]


def test_a_pipe_is_not_waited_for(place):
    os.mkfifo(place.runbook / "x", 0o600)
    assert "is not a file" in place.refusal("file", "x")[0]


def test_a_home_that_is_not_known_is_said(place):
    del place.environ["HOME"]
    assert "HOME is not set" in place.refusal("file", "~/x")[0]


def test_a_relative_folder_of_credentials_is_none(place, monkeypatch):
    secret_file(place.credentials / "x")
    monkeypatch.chdir(place.credentials.parent)
    place.environ["CREDENTIALS_DIRECTORY"] = "credentials"
    assert place.refusal("file", "x")[0] == f"secret x: there is no {place.runbook / 'x'}"


def test_only_a_credential_may_be_roots(place):
    if os.getuid() != 0:
        pytest.skip("needs root, to give a file away")
    path = secret_file(place.runbook / "x")
    os.chown(path, 12345, 12345)
    assert "belongs to another user (uid 12345)" in place.refusal("file", "x")[0]


def test_a_keyring_without_it_says_how_to_put_it_there(place):
    message, hint = place.refusal("keyring", {"service": "my db", "username": "app"})
    assert message == "secret x: the keyring has nothing for service my db, username app"
    assert hint == "put it there: durun secret set 'my db' app"


def test_a_variable_that_is_missing_is_not_the_same_as_an_empty_one(place):
    assert place.refusal("env", "DB")[0] == "secret x: the variable DB is not set"
    place.environ["DB"] = ""
    assert place.refusal("env", "DB")[0] == "secret x: the variable DB is empty"


def test_a_command_is_run_in_the_runbooks_folder_with_the_callers_variables(place):
    place.environ["VAULT_ADDR"] = "https://vault"
    assert place.get("command", ["sh", "-c", 'echo "$PWD $VAULT_ADDR"']) == f"{place.runbook} https://vault"


def test_a_command_gets_its_own_time(place):
    message, _ = place.refusal("command", {"argv": ["sleep", "60"], "timeout": "100ms"})
    assert message == "secret x: the command sleep took longer than 0.1 s"


@pytest.mark.parametrize(
    ("provider", "spec"),
    [
        ("keyring", "db"),
        ("keyring", {"service": "db"}),
        ("keyring", {"service": "db", "username": ""}),
        ("keyring", {"service": "db", "username": None}),
        ("env", ""),
        ("env", None),
        ("env", "A\0B"),
        ("file", ""),
        ("file", "a\0b"),
        ("command", []),
        ("command", "pass show x"),
        ("command", {"timeout": "3s"}),
        ("command", ["cat", ""]),
        ("command", {"argv": ["cat"], "timeout": "soon"}),
        ("command", {"argv": ["cat"], "timeout": 30}),
    ],
)
def test_what_an_expression_made_unusable_is_refused_with_what_it_must_be(place, provider, spec):
    message, hint = place.refusal(provider, spec)
    assert message.startswith("secret x: ")
    assert hint


def test_numbers_from_inputs_are_text(place):
    secret_file(place.runbook / "7")
    assert place.get("file", 7) == "hunter22"
    assert place.get("command", ["echo", 7, True]) == "7 true"
