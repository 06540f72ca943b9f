from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from doubles import KeyringDouble
from durun.config import Config
from durun.doctor import processes, secrecy
from durun.doctor.examine import CHECKS, examine
from durun.doctor.here import Here
from durun.doctor.mend import mend
from durun.errors import JournalDamaged, Unsafe
from durun.journal.glance import glance
from durun.journal.place import NETWORK
from durun.journal.sqlite import open_journal
from durun.model.check import Check
from durun.secrets.keys import SealKey


@pytest.fixture
def keyring(tmp_path):
    return KeyringDouble(tmp_path / "keyring")


@pytest.fixture
def here(tmp_path, keyring):
    return Here(Config(tmp_path / "state"), keyring, {})


@pytest.fixture
def used(here):
    """A state directory with a journal and a seal key."""
    open_journal(here.config.journal_path).close()
    SealKey(here.config.home, here.keyring, {}).public()
    return here


@pytest.fixture
def seen():
    return lambda here, name: next(check for check in examine(here) if check.name == name)


def test_each_check_has_the_name_that_it_is_listed_under(used):
    found = examine(used)
    assert [check.name for check in found] == list(CHECKS)
    assert all(check.hint for check in found if check.status != "ok")


def test_where_nothing_has_been_run_nothing_is_wrong_and_nothing_is_made(here, keyring):
    found = {check.name: check for check in examine(here)}
    home = here.config.home
    assert found["state_directory"].message == f"{home} is not there yet: the first run makes it"
    assert found["journal"].message == "there is none yet: the first run makes it"
    assert found["seal_key"].message == "there is none yet: it is made when the first secret is sealed"
    assert not [check for check in found.values() if check.status == "fail"]
    assert not home.exists()
    assert keyring.entries() == {}


def test_a_state_directory_in_use(used, seen, monkeypatch):
    monkeypatch.setattr("durun.doctor.state.MEMORY", ())  # where tests put their files may be in memory
    home = used.config.home
    assert seen(used, "state_directory").message == f"{home} (mode 0700, on a disk of this machine)"
    journal = seen(used, "journal")
    assert journal.status == "ok"
    assert journal.message.startswith(f"{used.config.journal_path} is whole, runs: 0, events: 0 (SQLite 3.")
    assert journal.message.endswith(", mode WAL)")


def test_looking_leaves_everything_as_it_is(used):
    def stand():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in used.config.home.rglob("*")}

    before = stand()
    examine(used)
    assert before.items() <= stand().items()  # SQLite makes the files beside the journal that every reader needs


def test_a_state_directory_that_others_may_read(used, seen):
    used.config.home.chmod(0o755)
    home = used.config.home
    assert seen(used, "state_directory") == Check(
        "state_directory", "fail", f"{home} is open to other users (mode 0755)", f"chmod 700 {home}", Unsafe.exit_code
    )


def test_a_journal_that_is_damaged(used, seen):
    used.config.journal_path.write_bytes(b"no journal at all" * 100)
    found = seen(used, "journal")
    assert (found.status, found.exit_code) == ("fail", 7)
    assert "is damaged" in found.message
    assert "restore it" in found.hint


def test_a_page_of_the_journal_that_is_damaged(used, seen):
    path = used.config.journal_path
    content = bytearray(path.read_bytes())
    content[4096:4200] = bytes(104)
    path.write_bytes(content)
    found = seen(used, "journal")
    assert (found.status, found.exit_code) == ("fail", 7)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_state_directory_on_a_network_file_system(used, seen, monkeypatch, tmp_path):
    kind = "tmpfs"
    monkeypatch.setattr("durun.journal.place.NETWORK", NETWORK | {kind})
    subprocess.run(["mount", "-t", kind, "-o", "mode=700", "none", used.config.home], check=True)
    try:
        found = seen(used, "state_directory")
    finally:
        subprocess.run(["umount", used.config.home], check=True)
    assert (found.status, found.exit_code) == ("fail", 13)
    assert found.message == f"{used.config.home} is on a network file system (tmpfs)"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_state_directory_that_is_in_memory(used, seen):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "none", used.config.home], check=True)
    try:
        found = seen(used, "state_directory")
    finally:
        subprocess.run(["umount", used.config.home], check=True)
    assert found.status == "warn"
    assert found.message == (
        f"{used.config.home} is in memory (tmpfs): a restart of the machine takes every run with it"
    )


def test_a_state_directory_that_can_t_be_made(keyring, seen):
    found = seen(Here(Config(Path("/proc/durun")), keyring, {}), "state_directory")
    if os.geteuid() != 0:
        assert found.message == "/proc/durun is not there, and can't be made in /proc"
        assert found.exit_code == 8


def test_a_keyring_that_can_t_be_used_is_no_failure(here, keyring, seen):
    assert seen(here, "keyring") == Check("keyring", "ok", "double can be used")
    keyring.absent = True
    found = seen(here, "keyring")
    assert (found.status, found.message) == ("warn", "none can be used: no D-Bus here")
    assert "`file`" in found.hint


def test_where_the_seal_key_is(used, seen):
    assert seen(used, "seal_key").message.startswith("it is in the keyring (service durun, username seal key of ")
    SealKey(used.config.home, used.keyring, {}).move("file")
    assert seen(used, "seal_key") == Check("seal_key", "ok", f"it is in {used.config.home / 'seal.key'}")


def test_a_seal_key_that_can_t_be_had(used, keyring, seen):
    keyring.locked = True
    found = seen(used, "seal_key")
    assert (found.status, found.exit_code) == ("fail", 9)
    assert "the keyring is locked" in found.message
    assert "durun secret key --move file" in found.hint


def test_a_copy_of_the_seal_key_that_a_move_left(used, seen):
    home = used.config.home
    key = SealKey(home, used.keyring, {})
    key.move("file")
    copy = (home / "seal.key").read_bytes()
    key.move("keyring")
    (home / "seal.key").write_bytes(copy)
    (home / "seal.key").chmod(0o600)
    found = seen(used, "seal_key")
    assert found.status == "warn"
    assert found.message.endswith(f", and also in {home / 'seal.key'}")
    assert found.hint == "durun secret key --move keyring"


def test_secret_files_go_to_memory(here, seen, monkeypatch):
    assert seen(here, "secret_files").status == "ok"
    monkeypatch.setattr(secrecy, "memory_place", lambda: None)
    found = seen(here, "secret_files")
    assert (found.status, found.hint) == (
        "warn",
        "mount a tmpfs on /dev/shm, or set XDG_RUNTIME_DIR to a folder on one",
    )


def test_core_dumps_are_off(here, seen, monkeypatch):
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        assert seen(here, "core_dumps").status == "ok"
        monkeypatch.setattr(processes, "forbid_core_dumps", lambda: None)
        monkeypatch.setattr(processes.resource, "getrlimit", lambda kind: (4096, 4096))
        assert (seen(here, "core_dumps").status, seen(here, "core_dumps").exit_code) == ("fail", 13)
    finally:
        monkeypatch.undo()
        resource.setrlimit(resource.RLIMIT_CORE, limit)


def test_a_variable_that_says_nothing_is_named(here, seen):
    assert seen(here, "variables").message == "the environment sets none"
    told = here._replace(environ={"DURUN_HOME": "/a", "DURUN_STOP_GRACE": "2"})
    assert seen(told, "variables").message == "the environment sets DURUN_HOME, DURUN_STOP_GRACE"
    found = seen(here._replace(environ={"DURUN_NOTIFY_TIMEOUT": "1m"}), "variables")
    assert (found.status, found.exit_code) == ("fail", 2)
    assert found.message == "DURUN_NOTIFY_TIMEOUT is to be a number of seconds, and is '1m'"


def test_what_outlives_a_session_is_said(here, seen, monkeypatch):
    monkeypatch.setattr(processes, "scope_available", lambda: True)
    assert seen(here, "sessions").status == "ok"
    monkeypatch.setattr(processes, "scope_available", lambda: False)
    assert seen(here, "sessions").status == "warn"


def test_a_commit_that_was_cut_short_is_left_to_a_writer(used, seen):
    """A journal in rollback mode whose writer died leaves a hot journal beside it."""
    path = used.config.journal_path
    script = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = TRUNCATE")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
connection.execute("CREATE TABLE filler (x)")
for _ in range(200):
    connection.execute("INSERT INTO filler VALUES (zeroblob(4000))")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script, path], check=False)
    before = path.read_bytes()
    found = seen(used, "journal")
    assert (found.status, found.exit_code) == ("warn", 0)
    assert found.message.startswith("a commit was cut short")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["journal.lock", "runs"])
def test_what_is_of_another_kind_than_it_must_be(used, seen, name):
    path = used.config.home / name
    path.unlink(missing_ok=True)
    path.touch() if name == "runs" else path.mkdir()
    path.chmod(0o600)
    found = seen(used, "state_directory")
    assert (found.status, found.exit_code, found.hint) == ("fail", 13, f"move it away: mv {path} {path}.odd")


def test_a_pipe_in_the_place_of_the_journal_is_not_waited_for(used, seen):
    path = used.config.journal_path
    path.unlink()
    os.mkfifo(path, 0o600)
    assert seen(used, "journal").message == f"{path} is neither a file nor a folder"
    assert glance(str(used.config.home), "runs", begun="") == []


def test_a_journal_that_is_not_in_wal_mode_and_a_mend_that_sets_it(used, seen):
    connection = sqlite3.connect(used.config.journal_path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    found = seen(used, "journal")
    assert (found.status, found.exit_code) == ("warn", 0)
    assert ", mode DELETE): so whoever reads and whoever writes wait for each other" in found.message
    assert mend(used, examine(used))
    assert seen(used, "journal").message.endswith(", mode WAL)")


def test_a_journal_with_the_tables_of_another_version_is_damaged_and_left_alone(used, seen):
    connection = sqlite3.connect(used.config.journal_path)
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    assert seen(used, "journal").status == "warn"  # of an older durun, for all that can be seen
    before = used.config.journal_path.read_bytes()
    with pytest.raises(JournalDamaged, match="has not the tables of its version 4"):
        mend(used, examine(used))
    assert used.config.journal_path.read_bytes() == before


def test_a_disk_on_which_little_is_left(here, seen, monkeypatch):
    assert seen(here, "room").status == "ok"
    scarce = os.statvfs("/")
    little = SimpleNamespace(f_bavail=10, f_frsize=4096, f_files=scarce.f_files, f_favail=scarce.f_favail)
    monkeypatch.setattr(os, "statvfs", lambda _: little)
    found = seen(here, "room")
    assert (found.status, found.message) == ("warn", "0 MiB are free where the state directory is")
    little.f_bavail, little.f_files, little.f_favail = 10**6, 1000, 3
    assert seen(here, "room").message.endswith("and room for 3 more files only")
