from __future__ import annotations

import contextlib
import os
import threading

import pytest

from durun.views.backlog import BoundedBacklog, SpooledBacklog
from durun.views.channel import Channel
from durun.views.frame import Frame


@pytest.fixture
def pipe():
    ours, theirs = os.pipe()
    yield ours, theirs
    for descriptor in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def read_all(descriptor):
    parts = []
    while part := os.read(descriptor, 65536):
        parts.append(part)
    return b"".join(parts)


def test_text_arrives_in_order(pipe):
    ours, theirs = pipe
    channel = Channel(theirs)
    for number in range(1000):
        channel.write(f"{number}\n")
    channel.close()
    os.close(theirs)
    assert read_all(ours) == b"".join(b"%d\n" % number for number in range(1000))


@pytest.mark.fault(54)
def test_a_reader_that_never_reads_blocks_nobody_and_is_told_what_it_missed(pipe):
    ours, theirs = pipe
    channel = Channel(theirs, backlog=BoundedBacklog(limit=10_000))
    for _ in range(2000):
        channel.write("x" * 999 + "\n")  # 2 MB; a pipe holds 64 kB
    channel.close(patience=0.01)
    reader = threading.Thread(target=lambda: found.append(read_some(ours, 100_000)))
    found: list[bytes] = []
    reader.start()
    reader.join()
    assert b"lines dropped: the reader was too slow" in found[0]


def read_some(descriptor, most):
    """Until the mark has come."""
    data = b""
    while b"dropped" not in data and len(data) < most:
        data += os.read(descriptor, 65536)
    return data


@pytest.mark.fault(54)
def test_a_spooled_channel_drops_nothing(pipe, tmp_path):
    ours, theirs = pipe
    channel = Channel(theirs, backlog=SpooledBacklog(tmp_path, limit=1000))
    lines = [f"{number:0500}\n" for number in range(2000)]
    for line in lines:
        channel.write(line)
    channel.close(patience=0.01)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(ours)))
    reader.start()
    channel.close(patience=10)
    os.close(theirs)
    reader.join()
    assert found[0].decode() == "".join(lines)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(40)
def test_a_reader_that_goes_away_is_noticed_and_nothing_is_raised(pipe):
    ours, theirs = pipe
    os.close(ours)
    channel = Channel(theirs)
    channel.write("one\n")
    channel.close()
    assert channel.broken
    channel.write("two\n")
    channel.frame(["three"])
    channel.close()


def test_what_the_terminal_can_not_encode_is_escaped(pipe):
    ours, theirs = pipe
    channel = Channel(theirs, encoding="ascii")
    channel.write("héé …\n")
    channel.close()
    assert os.read(ours, 100) == b"h\\xe9\\xe9 \\u2026\n"


def test_a_frame_is_painted_over_in_place_and_text_goes_above_it(pipe):
    ours, theirs = pipe
    channel = Channel(theirs)
    channel.frame(["a", "b"])
    assert os.read(ours, 100) == b"a\nb\n"
    channel.write("text\n")
    assert os.read(ours, 100) == b"\x1b[2F\x1b[Jtext\na\nb\n"
    channel.frame(["c"])
    assert os.read(ours, 100) == b"\x1b[2Fc\x1b[K\n\x1b[J"
    channel.frame([])
    channel.close()
    assert os.read(ours, 100) == b"\x1b[1F\x1b[J"


def test_a_frame_that_has_not_changed_is_not_written(pipe):
    ours, theirs = pipe
    channel = Channel(theirs)
    channel.frame(["a"])
    assert os.read(ours, 100) == b"a\n"
    channel.frame(["a"])
    channel.frame(["b"])
    assert os.read(ours, 100) == b"\x1b[1Fb\x1b[K\n\x1b[J"
    channel.close()


def test_a_terminal_that_became_narrower_has_broken_lines_and_all_of_them_go(monkeypatch):
    frame = Frame(-1)
    size = [80, 24]
    monkeypatch.setattr("durun.views.frame.size_of", lambda descriptor: tuple(size))
    frame.next = ["x" * 79, "\x1b[31m" + "y" * 20 + "\x1b[0m"]
    frame.around(b"", "utf-8")
    size[:] = [40, 10]
    frame.next = ["z" * 39]
    assert frame.around(b"", "utf-8") == b"\x1b[3F\x1b[J" + b"z" * 39 + b"\n"
    size[:] = [40, 3]
    frame.next = ["1", "2", "3", "4"]
    assert frame.around(b"", "utf-8") == b"\x1b[1F1\x1b[K\n2\x1b[K\n\x1b[J"


def test_what_was_forgotten_is_left_alone(pipe):
    ours, theirs = pipe
    channel = Channel(theirs)
    channel.frame(["a"])
    assert os.read(ours, 100) == b"a\n"
    channel.forget()
    channel.frame(["b"])
    assert os.read(ours, 100) == b"b\x1b[K\n\x1b[J"
    channel.close()


def test_nothing_is_painted_while_the_terminal_is_another_jobs(monkeypatch):
    frame = Frame(-1)
    monkeypatch.setattr("os.tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
    frame.next = ["a"]
    assert frame.around(b"", "utf-8") == b""
    frame.next = ["a"]
    assert frame.around(b"text\n", "utf-8") == b"text\n"


def test_the_spool_keeps_the_order_over_memory_and_disk(tmp_path):
    backlog = SpooledBacklog(tmp_path, limit=10)
    taken = []
    for number in range(300):
        backlog.push(b"%03d\n" % number)
        if number % 7 == 0:
            taken.append(backlog.pull())
    while part := backlog.pull():
        taken.append(part)
    assert b"".join(taken) == b"".join(b"%03d\n" % number for number in range(300))


def test_the_spool_stays_in_memory_when_the_disk_refuses(tmp_path):
    backlog = SpooledBacklog(tmp_path / "missing", limit=10)
    for number in range(100):
        backlog.push(b"%03d\n" % number)
    taken = []
    while part := backlog.pull():
        taken.append(part)
    assert b"".join(taken) == b"".join(b"%03d\n" % number for number in range(100))
