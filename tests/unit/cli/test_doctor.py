from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def without_keyring(monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def test_where_all_is_well_it_ends_with_0(durun, home):
    ran = durun("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert f"ok    state directory  {home} is not there yet" in ran.out
    assert "warn  keyring          none can be used: " in ran.out
    assert not home.exists()


def test_it_ends_with_the_code_of_the_worst_failure(durun, home):
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    ran = durun("doctor")
    assert ran.code == 13
    assert f"fail  state directory  {home} is open to other users (mode 0755)" in ran.out
    assert f"hint: chmod 700 {home}" in ran.out
    (home / "journal.db").write_text("ruined" * 1000)
    (home / "journal.db").chmod(0o600)
    assert durun("doctor").code == 7


def test_programs_get_one_object(durun, home):
    found = json.loads(durun("doctor", "--json").out)
    assert found["schema"] == 1
    assert {"name", "status", "message", "hint"} == set(found["checks"][0])
    assert [check["name"] for check in found["checks"]][:2] == ["state_directory", "journal"]
