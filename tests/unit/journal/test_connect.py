"""The settings that durability rests on, and what is done where they can't be had."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from durun.errors import JournalDamaged, StorageFailed
from durun.journal.connect import VERSION, connect_reader, connect_writer, meaning, settle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def settings(connection: sqlite3.Connection, *names: str) -> list[object]:
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_a_writer_syncs_every_commit_and_checkpoints_only_when_told(folder: Path) -> None:
    connection = connect_writer(folder / "journal.db")
    assert settings(connection, "journal_mode", "synchronous", "wal_autocheckpoint") == ["wal", 2, 0]
    assert settings(connection, "foreign_keys", "busy_timeout") == [1, 10_000]
    assert connection.isolation_level is None
    connection.close()


def test_a_reader_can_change_nothing(folder: Path) -> None:
    path = folder / "journal.db"
    assert connect_reader(path) is None
    connect_writer(path).close()
    reader = connect_reader(path)
    assert reader is not None
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM run")
    reader.close()


def test_without_wal_every_commit_is_synced_twice(folder: Path) -> None:
    path = folder / "journal.db"
    connection = sqlite3.connect(f"{path.as_uri()}?vfs=unix-dotfile", uri=True, isolation_level=None)
    settle(connection)
    assert settings(connection, "journal_mode", "synchronous") == ["truncate", 3]
    connection.close()


def test_a_setting_that_does_not_take_is_refused() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(StorageFailed, match="mode memory"):
        settle(connection)
    connection.close()


def test_a_file_that_was_made_and_not_filled_is_an_empty_journal(folder: Path) -> None:
    path = folder / "journal.db"
    path.touch(mode=0o600)
    assert connect_reader(path) is None
    connection = connect_writer(path)
    assert settings(connection, "user_version") == [VERSION]
    connection.close()


@pytest.mark.fault(24)
@pytest.mark.parametrize("left", ["gone", "cut to nothing", "without tables"])
def test_a_journal_that_is_lost_while_its_runs_are_there_is_not_begun_anew(folder: Path, left: str) -> None:
    path = folder / "journal.db"
    (folder / "runs/k3x9a2b7cd").mkdir(parents=True)
    if left == "cut to nothing":
        path.touch(mode=0o600)
    elif left == "without tables":
        empty = sqlite3.connect(path, isolation_level=None)
        empty.execute("VACUUM")
        empty.close()
        path.chmod(0o600)
    before = path.read_bytes() if path.exists() else None
    for connect in (connect_reader, connect_writer):
        with pytest.raises(JournalDamaged, match="gone" if left == "gone" else "empty") as refused:
            connect(path)
        assert "restore" in refused.value.hint
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_mistake_in_the_code_is_not_taken_for_a_broken_disk() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as mistake:
        connection.execute("SELECT nothing FROM nowhere")
    connection.close()
    assert meaning(mistake.value, Path("journal.db")) is None
    assert meaning(sqlite3.ProgrammingError("closed"), Path("journal.db")) is None
