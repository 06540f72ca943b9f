"""Room at the end of the write-ahead log: commits write over it, it is never taken for a commit, and it has an end."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durun.journal.reserve import reserve
from durun.journal.sqlite import open_journal
from durun.model import event as ev

FRAME = 24 + 4096


def size_of(path: Path) -> int:
    return path.with_name("journal.db-wal").stat().st_size


def note(number: int) -> ev.ClockJumped:
    return ev.ClockJumped(expected=float(number), found=0.0)


def appended(journal: Any, head: int, count: int) -> int:
    for number in range(count):
        head = journal.append("r", head, [note(number)], 2.0)
    return head


def test_few_commits_make_the_log_longer(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as journal:
        head = journal.append("r", 0, [created], 1.0)
        sizes = {size_of(path)}
        for _ in range(200):
            head = appended(journal, head, 1)
            sizes.add(size_of(path))
        assert len(sizes) < 20
        assert max(sizes) < 3 * 200 * FRAME + (1 << 20)


def test_two_that_write_in_turns_do_not_make_room_for_ever(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as one, open_journal(path) as other:
        head = one.append("r", 0, [created], 1.0)
        for _ in range(50):
            head = appended(other, appended(one, head, 1), 1)
        assert size_of(path) < 3 * 100 * FRAME + (1 << 20)


@pytest.mark.fault(1, 5)
@pytest.mark.parametrize("count", range(1, 30, 4))
def test_what_is_behind_the_last_commit_is_not_taken_for_one(
    path: Path, created: ev.RunCreated, tmp_path: Path, count: int
) -> None:
    """The files of a process that was killed are opened by another one."""
    with open_journal(path) as journal:
        head = appended(journal, journal.append("r", 0, [created], 1.0), count)
        left = tmp_path / "left"
        left.mkdir(mode=0o700)
        for file in ("journal.db", "journal.db-wal"):
            (left / file).write_bytes(path.with_name(file).read_bytes())
            (left / file).chmod(0o600)
    with open_journal(left / "journal.db", read_only=True) as found:
        found.check("r")
        assert found.head("r") == head == count + 1
    with open_journal(left / "journal.db") as found:
        assert appended(found, head, 3) == head + 3
        found.check("r")


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for frames in (0, 1, 3, 400, 20_000):
        content = b"w" * (32 + frames * FRAME)
        log.write_bytes(content)
        reserve(str(log))
        found = log.read_bytes()
        assert found[: len(content)] == content and not found[len(content) :].strip(b"\0")
        assert (1 << 16) - FRAME <= len(found) - len(content) <= (1 << 20) + FRAME
        reserve(str(log))
        assert log.stat().st_size == len(found), "there is room already"


def test_without_a_log_and_without_room_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    reserve(str(log))
    assert not log.exists()
    log.write_bytes(b"")
    reserve(str(log))
    assert log.stat().st_size == 0
    log.write_bytes(b"w" * (32 + FRAME))

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", refuse)
    reserve(str(log))
    assert log.stat().st_size == 32 + FRAME


def test_a_page_is_as_long_as_we_take_it_to_be(path: Path, created: ev.RunCreated) -> None:
    with open_journal(path) as journal:
        journal.append("r", 0, [created], 1.0)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (FRAME - 24,)
