"""The journal's file: who may read it, what is refused, and what two processes at once see."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from durun.errors import JournalDamaged, NoSuchRun, StorageFailed, Unsafe
from durun.journal.api import RunQuery, SequenceConflict
from durun.journal.reading import read_state
from durun.journal.sqlite import SqliteJournal, open_journal
from durun.model import event as ev
from durun.model.task import TaskKey

Start = Callable[..., "subprocess.Popen[str]"]


def interrupted(reason: str = "stop") -> ev.RunInterrupted:
    return ev.RunInterrupted(reason=reason)


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody with a database tool would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER event_is_never_changed")
    connection.execute("DROP TRIGGER event_is_never_removed")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def filled(path: Path, created: ev.RunCreated, events: int = 5) -> bytes:
    with open_journal(path) as journal:
        head = journal.append("r", 0, [created], 1.0)
        for number in range(events):
            head = journal.append("r", head, [interrupted(f"marker {number}")], 2.0)
    return path.read_bytes()


def test_the_file_and_its_folder_are_their_owners_alone(path: Path, created: ev.RunCreated) -> None:
    before = os.umask(0)
    try:
        with open_journal(path) as journal:
            journal.append("r", 0, [created], 1.0)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"}


def test_a_closed_journal_is_one_file_and_opens_again(path: Path, created: ev.RunCreated) -> None:
    filled(path, created)
    assert sorted(file.name for file in path.parent.iterdir()) == ["journal.db", "journal.lock"]
    for _ in range(2):
        with open_journal(path) as journal:
            assert journal.head("r") == 6
            journal.check("r")


def test_a_journal_that_is_collected_is_closed_all_the_same(path: Path, created: ev.RunCreated) -> None:
    journal = open_journal(path)
    journal.append("r", 0, [created], 1.0)
    del journal
    assert not path.with_name("journal.db-wal").exists()


def test_the_end_of_a_run_cuts_the_log(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as journal:
        journal.append("r", 0, [created, ev.RunEnded(status="failed", exit_code=1)], 1.0)
        assert path.with_name("journal.db-wal").stat().st_size == 0


def test_the_log_is_copied_into_the_journal_before_it_grows_without_bound(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as journal:
        head = journal.append("r", 0, [created], 1.0)
        for _ in range(60):
            head = journal.append("r", head, [interrupted("x" * 200_000)], 2.0)
        assert path.with_name("journal.db-wal").stat().st_size < 8_000_000
        assert path.stat().st_size > 4_000_000


def test_to_read_a_journal_that_is_not_there_makes_nothing(path: Path) -> None:
    journal = open_journal(path, read_only=True)
    assert journal.runs(RunQuery()) == []
    for refused in (lambda: journal.find("@last"), lambda: journal.head("r"), lambda: journal.check("r")):
        with pytest.raises(NoSuchRun):
            refused()
    assert not path.parent.exists()


def test_a_reader_beside_a_writer_sees_every_commit_at_once(path: Path, created: ev.RunCreated) -> None:
    reader = open_journal(path, read_only=True)
    with open_journal(path) as writer:
        head = writer.append("r", 0, [created], 1.0)
        for _ in range(5):
            head = writer.append("r", head, [interrupted()], 2.0)
            assert reader.head("r") == head
    reader.check("r")
    with pytest.raises(StorageFailed):
        reader.append("r", head, [interrupted()], 3.0)


def test_head_sees_what_another_process_appended(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as one, open_journal(path) as other:
        one.append("r", 0, [created], 1.0)
        assert (one.head("r"), other.head("r")) == (1, 1)
        other.append("r", 1, [interrupted()], 2.0)
        assert one.head("r") == 2
        with pytest.raises(SequenceConflict):
            one.append("r", 1, [interrupted()], 3.0)
        one.append("r", 2, [interrupted()], 3.0)
        assert other.head("r") == 3
        other.check("r")


@pytest.mark.fault(23)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_that_others_may_read_is_refused_with_the_command_that_mends_it(
    path: Path, created: ev.RunCreated, mode: int, read_only: bool
) -> None:
    filled(path, created)
    path.chmod(mode)
    with pytest.raises(Unsafe) as refused:
        open_journal(path, read_only=read_only).runs(RunQuery())
    assert refused.value.exit_code == 13
    assert refused.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    open_journal(path).close()


@pytest.mark.fault(25)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_of_a_newer_durun_is_refused_untouched(path: Path, created: ev.RunCreated, read_only: bool) -> None:
    filled(path, created)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Unsafe) as refused:
        open_journal(path, read_only=read_only).runs(RunQuery())
    assert refused.value.exit_code == 13
    assert "newer durun" in refused.value.message
    assert path.read_bytes() == before


@pytest.mark.fault(24)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_journal_is_refused_untouched(path: Path, read_only: bool) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("name: patch\nsteps: []\n" * 400)
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(JournalDamaged) as refused:
        open_journal(path, read_only=read_only).runs(RunQuery())
    assert refused.value.exit_code == 7
    assert path.read_bytes() == before


@pytest.mark.fault(24)
def test_a_cut_off_file_is_refused_untouched(path: Path, created: ev.RunCreated) -> None:
    whole = filled(path, created, 200)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalDamaged):
        open_journal(path)
    assert path.read_bytes() == whole[: len(whole) // 2]


@pytest.mark.fault(24)
def test_a_garbage_page_is_found(path: Path, created: ev.RunCreated) -> None:
    whole = bytearray(filled(path, created, 200))
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        damaged = path.read_bytes()
        with pytest.raises(JournalDamaged):
            open_journal(path, read_only=True).check("r")
        assert path.read_bytes() == damaged


@pytest.mark.fault(24)
def test_a_flipped_bit_in_an_event_is_found_and_the_event_named(path: Path, created: ev.RunCreated) -> None:
    whole = bytearray(filled(path, created))
    place = whole.index(b"marker 3")
    whole[place] ^= 1
    path.write_bytes(whole)
    with pytest.raises(JournalDamaged) as refused:
        open_journal(path, read_only=True).check("r")
    assert "event 5 of run r" in refused.value.message
    assert path.read_bytes() == bytes(whole)


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE event SET at = 3 WHERE sequence = 3", "event 3 "),
        ("UPDATE event SET type = 'run_ended' WHERE sequence = 2", "event 2 "),
        ("UPDATE event SET hash = zeroblob(32) WHERE sequence = 4", "event 4 "),
        ("DELETE FROM event WHERE sequence = 3", "event 3 "),
        ("DELETE FROM event WHERE sequence > 4", "event 5 "),
        ("DELETE FROM event", "event 1 "),
        ("UPDATE run SET status = 'succeeded'", "state of run r"),
        ("UPDATE run SET sequence = 5", "state of run r"),
        (
            "INSERT INTO task SELECT number, 0, 's', '', 'succeeded', 'ran', 0, 1.0, NULL, NULL FROM run",
            "state of s of run r",
        ),
    ],
)
def test_what_somebody_changed_is_found_and_named(path: Path, created: ev.RunCreated, change: str, named: str) -> None:
    filled(path, created)
    tamper(path, change)
    with pytest.raises(JournalDamaged) as refused:
        open_journal(path, read_only=True).check("r")
    assert named in refused.value.message
    assert refused.value.exit_code == 7


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE event SET body = replace(body, 'run_created', 'run_ended') WHERE sequence = 1", "event 1 "),
        ("UPDATE event SET body = replace(body, 'marker 3', 'marker 4') WHERE sequence = 5", "event 5 "),
        ("DELETE FROM event WHERE sequence = 4", "event 4 "),
    ],
)
def test_what_a_run_goes_on_by_is_proved_when_it_is_read(
    path: Path, created: ev.RunCreated, change: str, named: str
) -> None:
    filled(path, created)
    tamper(path, change)
    with open_journal(path, read_only=True) as journal, pytest.raises(JournalDamaged) as refused:
        journal.events("r", types=("run_created", "run_interrupted"))
    assert named in refused.value.message


@pytest.mark.fault(24)
def test_nothing_is_appended_to_a_run_whose_tail_is_gone(path: Path, created: ev.RunCreated) -> None:
    filled(path, created)
    tamper(path, "DELETE FROM event WHERE sequence > 4")
    with open_journal(path) as journal, pytest.raises(JournalDamaged):
        journal.append("r", 4, [interrupted()], 9.0)


@pytest.mark.parametrize("change", ["UPDATE event SET at = 1", "DELETE FROM event"])
def test_the_file_itself_refuses_to_change_events(path: Path, created: ev.RunCreated, change: str) -> None:
    filled(path, created)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="events are never"):
        connection.execute(change)
    connection.close()


def test_the_file_itself_refuses_a_status_that_is_none(path: Path, created: ev.RunCreated) -> None:
    filled(path, created)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute("UPDATE run SET status = 'fine'")
    connection.close()


def test_landmarks_are_found_without_reading_the_other_events(journal: SqliteJournal) -> None:
    assert journal._writer is not None
    from durun.journal.queries import QUERIES

    plan = journal._writer.connection().execute(
        "EXPLAIN QUERY PLAN " + QUERIES["landmarks"], {"id": "r", "after": 0, "types": "[]"}
    )
    assert any("event_landmark" in row[3] and "type=?" in row[3] for row in plan)


WRITING = """
name = sys.argv[2]
journal = open_journal(path)
head = journal.append(name, 0, [created()], 1.0)
print("ready", flush=True)
for number in range(150):
    head = journal.append(name, head, [jump(number, "x" * 500), jump(number)], 2.0)
journal.close()
"""

READING = """
from durun.journal.api import RunQuery
print("ready", flush=True)
looks = 0
while True:
    journal = open_journal(path, read_only=True)
    runs = journal.runs(RunQuery())
    for run in runs:
        assert len(journal.events(run.id, after=run.sequence - 1)) >= 1
        assert journal.head(run.id) >= run.sequence
    looks += 1
    if len(runs) == 2 and all(run.sequence == 301 for run in runs):
        break
print("looks", looks, flush=True)
"""


@pytest.mark.fault(43)
def test_two_writers_and_readers_in_a_loop_never_see_a_locked_database(path: Path, start: Start) -> None:
    readers = [start(READING, path) for _ in range(2)]
    writers = [start(WRITING, path, name) for name in ("one", "two")]
    for process in (*writers, *readers):
        _, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        assert err == ""
    with open_journal(path) as journal:
        for name in ("one", "two"):
            assert journal.head(name) == 301
            journal.check(name)


APPENDING_TO_ONE = """
from durun.journal.api import SequenceConflict
journal = open_journal(path)
done = 0
while done < 100:
    try:
        journal.append("r", journal.head("r"), [jump(done)], 2.0)
        done += 1
    except SequenceConflict:
        continue
journal.close()
"""


@pytest.mark.fault(43)
def test_two_writers_of_one_run_lose_nothing(path: Path, created: ev.RunCreated, start: Start) -> None:
    with open_journal(path) as journal:
        journal.append("r", 0, [created], 1.0)
        writers = [start(APPENDING_TO_ONE, path) for _ in range(2)]
        for process in writers:
            _, err = process.communicate(timeout=50)
            assert process.returncode == 0, err
        assert journal.head("r") == 201
        journal.check("r")


def test_a_journal_whose_writer_was_killed_can_be_read_at_once(path: Path, start: Start) -> None:
    code = "journal = open_journal(path)\njournal.append('r', 0, [created()], 1.0)\nos.kill(os.getpid(), 9)\n"
    process = start(code, path)
    process.communicate(timeout=50)
    assert path.with_name("journal.db-wal").stat().st_size > 0
    reader = open_journal(path, read_only=True)
    assert reader.head("r") == 1
    reader.check("r")


def test_a_copy_of_the_files_is_a_journal(path: Path, tmp_path: Path, created: ev.RunCreated) -> None:
    filled(path, created)
    copy = tmp_path / "copy" / "journal.db"
    shutil.copytree(path.parent, copy.parent)
    copy.parent.chmod(0o700)
    with open_journal(copy) as journal:
        assert journal.find("@last") == "r"
        journal.check("r")


@pytest.mark.parametrize("read_only", [True, False])
def test_the_state_of_a_run_is_read_though_it_is_written_all_the_while(
    path: Path, created: ev.RunCreated, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    """A run at work appends faster than it is read: whoever asks about it, or cancels it, needs no lull."""
    filled(path, created)
    with open_journal(path) as busy, open_journal(path, read_only=read_only) as journal:
        read = SqliteJournal.tasks

        def meanwhile(self: SqliteJournal, run_id: str) -> object:
            busy.append("r", busy.head("r"), [interrupted("meanwhile")], 3.0)
            found = read(self, run_id)
            busy.append("r", busy.head("r"), [interrupted("meanwhile")], 4.0)
            return found

        monkeypatch.setattr(SqliteJournal, "tasks", meanwhile)
        assert read_state(journal, "r").record.sequence == 6
        assert journal.head("r") == 8
        assert read_state(journal, "r").record.sequence == 8
        assert journal.head("r") == 10


def test_a_state_is_never_half_before_and_half_after_somebody_elses_commit(
    path: Path, created: ev.RunCreated, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, created)
    with open_journal(path) as busy, open_journal(path) as journal:
        read = SqliteJournal.tasks

        def meanwhile(self: SqliteJournal, run_id: str) -> object:
            busy.append("r", busy.head("r"), [ev.TaskSkipped(step="late", reason="not needed")], 3.0)
            return read(self, run_id)

        before = read_state(journal, "r")
        with monkeypatch.context() as patch:
            patch.setattr(SqliteJournal, "tasks", meanwhile)
            assert read_state(journal, "r") == before
        after = read_state(journal, "r")
        assert after.record.sequence == before.record.sequence + 1
        assert after.tasks.keys() - before.tasks.keys() == {TaskKey("late")}
