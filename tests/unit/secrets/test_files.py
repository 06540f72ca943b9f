from __future__ import annotations

import os
import subprocess

import pytest

from durun.errors import SecretUnavailable
from durun.secrets.files import LARGEST, read_private


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"hunter2\n")
    path.chmod(0o600)
    return path


def refusal(path, **options) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as caught:
        read_private(path, **options)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(secret, mode):
    secret.chmod(mode)
    assert read_private(secret) == b"hunter2\n"


def test_what_is_not_there_is_none(secret):
    assert read_private(secret.with_name("other")) is None
    assert read_private(secret / "below") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_file_that_others_may_open_is_refused(secret, mode):
    secret.chmod(mode)
    error = refusal(secret)
    assert error.message == f"{secret} is open to other users (mode {mode:04o})"
    assert error.hint == f"chmod 600 {secret}"
    assert error.exit_code == 9


def test_the_hint_can_be_typed_as_it_stands(secret):
    odd = secret.rename(secret.with_name("ada's secret $HOME"))
    odd.chmod(0o644)
    subprocess.run(["sh", "-c", refusal(odd).hint], check=True)
    assert read_private(odd) == b"hunter2\n"


def test_a_symbolic_link_is_refused(secret):
    link = secret.with_name("link")
    link.symlink_to(secret)
    assert refusal(link).message == f"{link} is a symbolic link"


def test_what_is_not_a_file_is_refused_without_waiting(secret):
    pipe = secret.with_name("pipe")
    os.mkfifo(pipe, 0o600)
    assert refusal(pipe).message == f"{pipe} is not a file"
    folder = secret.with_name("folder")
    folder.mkdir(0o700)
    assert refusal(folder).message == f"{folder} is not a file"


def test_a_file_that_is_too_large_is_refused(secret):
    secret.write_bytes(b"x" * LARGEST)
    assert read_private(secret) == b"x" * LARGEST
    secret.write_bytes(b"x" * (LARGEST + 1))
    assert refusal(secret).message == f"{secret} is too large for a secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(secret):
    os.chown(secret, 12345, -1)
    assert refusal(secret).message == f"{secret} belongs to another user (uid 12345)"
    assert "belongs to another user" in refusal(secret, credential=True).message


@pytest.mark.parametrize(("mode", "good"), [(0o400, True), (0o440, True), (0o460, False), (0o444, False)])
def test_a_credential_may_be_open_to_the_group_that_an_acl_shows(secret, mode, good):
    secret.chmod(mode)
    if good:
        assert read_private(secret, credential=True) == b"hunter2\n"
    else:
        assert "is open to other users" in refusal(secret, credential=True).message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_credential_of_root_is_read_by_the_unit_s_user(secret, tmp_path, as_somebody):
    secret.chmod(0o440)
    os.chown(secret, 0, 12345)
    assert as_somebody(secret, credential=True) == "b'hunter2\\n'"
    assert "belongs to another user (uid 0)" in as_somebody(secret)
