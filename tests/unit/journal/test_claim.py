"""Locks: one holder, named; a dead one holds nothing; stop signals wait while the journal is written."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from durun.errors import Busy, StorageFailed
from durun.journal.claim import RunLock, WriteMutex

Start = Callable[..., "subprocess.Popen[str]"]

HOLDING = """
from durun.journal.claim import RunLock
lock = RunLock(path)
lock.acquire()
print(os.getpid(), flush=True)
sys.stdin.readline()
"""


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return 1769850900.0

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds

    def least(self, run_id: str) -> float:
        return 0.0

    def saw(self, run_id: str, now: float) -> None:
        pass


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.mark.fault(12)
def test_a_second_process_is_refused_with_the_holders_pid_host_and_time(lock_file: Path, start: Start) -> None:
    holder = start(HOLDING, lock_file)
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    lock = RunLock(lock_file)
    held = lock.holder()
    assert held is not None
    assert (held["pid"], held["host"]) == (pid, os.uname().nodename)
    with pytest.raises(Busy) as refused:
        lock.acquire()
    assert refused.value.exit_code == 11
    assert f"process {pid} on {os.uname().nodename}, since {held['since']}" in refused.value.message


@pytest.mark.fault(12)
def test_of_three_at_once_one_gets_it(lock_file: Path, start: Start) -> None:
    code = """
from durun.journal.claim import RunLock
lock = RunLock(path)
sys.stdin.readline()
try:
    lock.acquire()
    print("got it", flush=True)
except DurunError as error:
    print(error.exit_code, flush=True)
sys.stdin.readline()
"""
    processes = [start(code, lock_file) for _ in range(3)]
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        answers.append(process.stdout.readline().strip())
    assert sorted(answers) == ["11", "11", "got it"]


def test_a_killed_owner_holds_nothing(lock_file: Path, start: Start) -> None:
    holder = start(HOLDING, lock_file)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    lock = RunLock(lock_file)
    assert lock_file.read_text() != ""
    assert lock.holder() is None
    lock.acquire()
    lock.release()


def test_a_lock_is_released_and_taken_again(lock_file: Path) -> None:
    one, other = RunLock(lock_file), RunLock(lock_file)
    one.acquire()
    assert other.holder() == json.loads(lock_file.read_text())
    with pytest.raises(Busy):
        other.acquire()
    one.release()
    one.release()
    assert other.holder() is None
    other.acquire()
    other.release()


def test_looking_at_a_lock_that_nobody_made_makes_none(lock_file: Path) -> None:
    assert RunLock(lock_file).holder() is None
    assert not lock_file.exists()


def test_a_holder_without_a_name_is_still_a_holder(lock_file: Path) -> None:
    lock = RunLock(lock_file)
    lock.acquire()
    lock_file.write_text("[torn")
    assert RunLock(lock_file).holder() == {}
    with pytest.raises(Busy, match="a process that can't be named"):
        RunLock(lock_file).acquire()
    lock.release()


def test_a_child_program_inherits_no_lock(lock_file: Path) -> None:
    lock, mutex = RunLock(lock_file), WriteMutex(lock_file.with_name("mutex"))
    lock.acquire()
    with mutex, subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        assert RunLock(lock_file).holder() is None
        child.communicate()
    mutex.close()
    assert stat.S_IMODE(lock_file.stat().st_mode) == 0o600


def test_the_mutex_names_its_holder_when_patience_ends(lock_file: Path, start: Start) -> None:
    code = """
from durun.journal.claim import WriteMutex
with WriteMutex(path):
    print(os.getpid(), flush=True)
    sys.stdin.readline()
"""
    holder = start(code, lock_file)
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    mutex = WriteMutex(lock_file, clock=Ticking())
    with pytest.raises(StorageFailed) as refused, mutex:
        pass
    assert refused.value.exit_code == 8
    assert f"process {pid} on" in refused.value.message
    holder.communicate("\n")
    with mutex:
        pass
    mutex.close()


def test_a_lock_file_that_was_tidied_away_locks_nobody_out_and_nobody_in(lock_file: Path) -> None:
    one, other = WriteMutex(lock_file), WriteMutex(lock_file, clock=Ticking())
    lock_file.unlink()
    with other:
        probe = os.open(lock_file, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(probe)
    with one, pytest.raises(StorageFailed), other:
        pass
    one.close()
    other.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_waits_until_the_mutex_is_free(lock_file: Path, number: signal.Signals) -> None:
    seen: list[str] = []
    before = signal.signal(number, lambda *_: seen.append("handled"))
    mutex = WriteMutex(lock_file)
    try:
        with mutex:
            signal.raise_signal(number)
            seen.append("written")
        seen.append("after")
    finally:
        signal.signal(number, before)
        mutex.close()
    assert seen == ["written", "handled", "after"]
    assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
