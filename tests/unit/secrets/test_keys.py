from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from durun.errors import SecretUnavailable, StorageFailed
from durun.secrets.keys import SealKey
from durun.secrets.seal import new_key, public_key, seal, unseal

HERE = Path(__file__).parent


@pytest.fixture
def key(home, keyring):
    return SealKey(home, keyring, {})


@pytest.fixture
def again(home, keyring):
    """What another process sees."""
    return lambda environ=None: SealKey(home, keyring, environ or {})


@pytest.fixture
def credentials(tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    file = folder / "durun-seal-key"

    def put(private: bytes) -> dict[str, str]:
        file.write_bytes(base64.b64encode(private))
        file.chmod(0o400)
        return {"CREDENTIALS_DIRECTORY": str(folder)}

    return put


def refusal(act) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as caught:
        act()
    assert caught.value.exit_code == 9
    assert caught.value.hint
    return caught.value


def test_there_is_none_until_it_is_wanted(home, key):
    assert key.place() is None
    assert key.place_name() == ""
    assert list(home.iterdir()) == []


def test_it_is_made_once_and_opens_what_was_sealed(key, again):
    sealed = seal(key.public(), b"hunter2", "r/s")
    assert again().public() == key.public()
    assert unseal(again().private(), sealed, "r/s") == b"hunter2"


def test_it_is_in_the_keyring_and_only_there(home, keyring, key):
    key.public()
    assert key.place() == "keyring"
    [(name, value)] = keyring.entries().items()
    assert name == f"durun: seal key of {key.public().hex()[:16]}"
    assert base64.b64decode(value) == key.private()
    assert [file.name for file in home.iterdir()] == ["seal.json"]
    assert key.place_name() == f"the keyring (service durun, username {name.removeprefix('durun: ')})"


@pytest.mark.parametrize("trouble", ["absent", "locked", "forgetful"])
def test_where_no_keyring_keeps_it_it_is_in_a_file(home, keyring, key, trouble):
    setattr(keyring, trouble, True)
    key.public()
    assert key.place() == "file"
    assert key.place_name() == str(home / "seal.key")
    assert (home / "seal.key").stat().st_mode & 0o7777 == 0o600
    assert public_key(base64.b64decode((home / "seal.key").read_bytes())) == key.public()
    assert keyring.entries() == {}


def test_the_record_is_the_owner_s_alone_and_has_no_private_key(home, keyring, key):
    keyring.absent = True
    private = key.private()
    record = home / "seal.json"
    assert record.stat().st_mode & 0o7777 == 0o600
    assert json.loads(record.read_text()) == {
        "version": 1,
        "public": base64.b64encode(key.public()).decode(),
        "place": "file",
    }
    assert base64.b64encode(private).decode() not in record.read_text()


def test_to_seal_the_keyring_is_not_asked(keyring, key, again):
    public = key.public()
    keyring.locked = True
    assert again().public() == public


def test_a_credential_is_taken_instead_of_a_new_key(keyring, credentials, again):
    private, public = new_key()
    environ = credentials(private)
    assert again(environ).public() == public
    assert again(environ).private() == private
    assert again().place() == "credential"
    assert keyring.entries() == {}


def test_without_its_credential_it_says_which_unit_is_meant(credentials, again):
    again(credentials(new_key()[0])).public()
    error = refusal(again().private)
    assert error.message == "durun's seal key is gone from the systemd credential durun-seal-key"
    assert error.hint == "start durun from the unit that loads the credential durun-seal-key"


def test_a_credential_with_the_same_key_spares_the_keyring(keyring, key, credentials, again):
    environ = credentials(key.private())
    keyring.locked = True
    assert again(environ).private() == key.private()


def test_another_machine_s_credential_is_not_used(key, credentials, again):
    private = key.private()
    assert again(credentials(new_key()[0])).private() == private


def test_a_keyring_that_is_locked_or_gone_is_named_with_a_way_out(keyring, key, again):
    key.public()
    keyring.locked = True
    error = refusal(again().private)
    assert error.message == "durun's seal key is in the keyring, which can't be used here: the keyring is locked"
    assert "durun secret key --move file" in error.hint


def test_a_key_that_is_gone_is_not_made_anew(home, keyring, key, again):
    public = key.public()
    for name in keyring.entries():
        keyring.delete(*name.split(": ", 1))
    error = refusal(again().private)
    assert error.message.startswith("durun's seal key is gone from the keyring (service durun, username seal key of ")
    assert str(home / "seal.json") in error.hint
    assert again().public() == public


def test_a_key_of_another_state_directory_is_refused(home, keyring, again):
    keyring.absent = True
    again().public()
    (home / "seal.key").write_bytes(base64.b64encode(new_key()[0]))
    error = refusal(again().private)
    assert error.message == f"the key in {home / 'seal.key'} is not the one that {home / 'seal.json'} names"


@pytest.mark.parametrize("content", [b"", b"not base64!", base64.b64encode(bytes(31)), b"\xff\xfe"])
def test_what_is_no_key_is_refused(home, keyring, again, content):
    keyring.absent = True
    again().public()
    (home / "seal.key").write_bytes(content)
    assert refusal(again().private).message == f"what is in {home / 'seal.key'} is not a seal key"


@pytest.mark.parametrize("name", ["seal.key", "seal.json"])
def test_a_file_that_others_may_read_is_refused(home, keyring, again, name):
    keyring.absent = True
    again().public()
    (home / name).chmod(0o644)
    assert refusal(again().private).hint == f"chmod 600 {home / name}"


def test_a_link_instead_of_the_file_is_refused(home, keyring, again):
    keyring.absent = True
    again().public()
    (home / "seal.key").rename(home / "elsewhere")
    (home / "seal.key").symlink_to(home / "elsewhere")
    assert "is a symbolic link" in refusal(again().private).message


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"version": 2, "public": "%s", "place": "file"}' % ("A" * 43 + "="),
        '{"version": 1, "public": "AAAA", "place": "file"}',
        '{"version": 1, "public": "%s", "place": "cloud"}' % ("A" * 43 + "="),
        '{"version": 1, "public": 1, "place": "file"}',
    ],
)
def test_a_record_that_can_t_be_understood_is_left_alone(home, again, content):
    (home / "seal.json").write_text(content)
    (home / "seal.json").chmod(0o600)
    assert "is not a record of a seal key that this durun knows" in refusal(again().public).message
    assert (home / "seal.json").read_text() == content


def test_a_key_whose_record_was_not_written_is_taken_up(home, keyring, again):
    keyring.absent = True
    private = again().private()
    (home / "seal.json").unlink()
    keyring.absent = False
    assert again().private() == private
    assert again().place() == "file"


def test_it_is_moved_into_a_file_and_back(home, keyring, key, again):
    private = key.private()
    again().move("file")
    assert again().place() == "file"
    assert again().private() == private
    assert keyring.entries() == {}
    again().move("keyring")
    assert again().place() == "keyring"
    assert again().private() == private
    assert sorted(file.name for file in home.iterdir()) == ["seal.json"]


def test_to_move_it_where_it_is_removes_what_is_left_elsewhere(home, keyring, key, again):
    private = key.private()
    (home / "seal.key").write_bytes(base64.b64encode(private))
    (home / "seal.key").chmod(0o600)
    again().move("keyring")
    assert not (home / "seal.key").exists()
    assert again().private() == private


def test_a_move_leaves_another_key_that_lies_there(home, key, again):
    key.public()
    other = base64.b64encode(new_key()[0])
    (home / "seal.key").write_bytes(other)
    (home / "seal.key").chmod(0o600)
    again().move("keyring")
    assert (home / "seal.key").read_bytes() == other


@pytest.mark.parametrize("trouble", ["absent", "locked", "forgetful"])
def test_a_move_into_a_keyring_that_does_not_keep_it_changes_nothing(home, keyring, again, trouble):
    keyring.absent = True
    private = again().private()
    keyring.absent = False
    setattr(keyring, trouble, True)
    refusal(lambda: again().move("keyring"))
    assert again().place() == "file"
    assert again().private() == private


def test_a_move_into_a_file_needs_no_keyring_if_the_key_is_not_there(home, keyring, again, credentials):
    environ = credentials(new_key()[0])
    private = again(environ).private()
    keyring.absent = True
    again(environ).move("file")
    assert again().place() == "file"
    assert again().private() == private


@pytest.mark.parametrize("content", [b"something else", base64.b64encode(new_key()[0])], ids=["no key", "another key"])
def test_a_move_does_not_overwrite_what_lies_there(home, keyring, key, again, content):
    private = key.private()
    (home / "seal.key").write_bytes(content)
    (home / "seal.key").chmod(0o600)
    assert str(home / "seal.key") in refusal(lambda: again().move("file")).message
    assert again().place() == "keyring"
    assert again().private() == private
    assert (home / "seal.key").read_bytes() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_disk_that_refuses_is_a_failure_of_the_disk(tmp_path, keyring):
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "none", full], check=True)
    try:
        (full / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(StorageFailed, match=str(full / "seal")):
            SealKey(full, keyring, {}).public()
        assert [file.name for file in full.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", full], check=True)


AT_ONCE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from doubles import KeyringDouble
from durun.secrets.keys import SealKey
from durun.secrets.seal import new_key
keyring = KeyringDouble(Path(sys.argv[3]))
keyring.absent = sys.argv[4] == "absent"
new_key()
print("ready", flush=True)
sys.stdin.read()
key = SealKey(Path(sys.argv[2]), keyring, {})
print(key.public().hex(), key.private().hex())
"""


def test_processes_that_start_at_the_same_instant_get_one_key(home, tmp_path):
    kinds = ["there", "absent"] * 3
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, str(HERE.parents[1]), str(home), str(tmp_path / "keyring"), kind], **pipes
        )
        for kind in kinds
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.close()
    answers = [process.stdout.read() for process in started]
    for process in started:
        process.stdout.close()
        process.wait()
    assert len({answer for answer in answers if answer}) == 1
    in_file = json.loads((home / "seal.json").read_text())["place"] == "file"
    assert [bool(answer) for answer in answers] == [in_file or kind == "there" for kind in kinds]


def deaths(tmp_path: Path, *acts: str) -> list[dict]:
    """How things stood when the last act was killed at its first, second … call that has an effect, and afterwards."""
    driver = [sys.executable, str(HERE / "killing.py"), str(tmp_path), *acts]
    ran = subprocess.run(driver, capture_output=True, text=True, timeout=50)
    assert ran.returncode == 0, ran.stderr
    seen = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(seen) > 8
    return seen


@pytest.mark.fault(33)
def test_killed_anywhere_while_it_is_made_there_is_one_key_afterwards(tmp_path):
    for seen in deaths(tmp_path, "private"):
        assert seen["killed"]["public"] in (None, seen["after"]["public"])
        assert seen["after"]["opens"]


@pytest.mark.fault(33)
@pytest.mark.parametrize("way", [("keyring", "file"), ("file", "keyring")], ids=" to ".join)
def test_killed_anywhere_during_a_move_nothing_is_lost(tmp_path, way):
    for seen in deaths(tmp_path, *way):
        assert seen["killed"]["public"] == seen["after"]["public"] == seen["again"]["public"]
        assert seen["after"]["opens"]
        assert seen["again"]["opens"]
        assert seen["again"]["file"] == (way[1] == "file")
        assert seen["again"]["keyring"] == (way[1] == "keyring")
