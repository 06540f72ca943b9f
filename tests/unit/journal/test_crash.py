"""kill -9, a full disk and a failing fsync, at every system call that matters: nothing acknowledged is lost."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from durun.errors import NoSuchRun
from durun.journal.sqlite import open_journal
from durun.model import event as ev

Start = Callable[..., "subprocess.Popen[str]"]

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

AT = 200
"""Which call of a name is deadly. Each child makes harmless ones first, so that it is another one of its own."""

KILLED_IN_TURN = """
import fcntl
name, at = sys.argv[2], int(sys.argv[3])
spare = os.open(path.parent / "spare", os.O_CREAT | os.O_RDWR)
harmless = {
    "pwrite64": lambda: os.pwrite(spare, b"x", 0),
    "fdatasync": lambda: os.fdatasync(spare),
    "fsync": lambda: os.fsync(spare),
    "ftruncate": lambda: os.ftruncate(spare, 1),
    "fcntl": lambda: fcntl.fcntl(spare, fcntl.F_GETFD),
    "flock": lambda: fcntl.flock(spare, fcntl.LOCK_UN),
}[name]
def child(number):
    for _ in range(at - 1 - number):
        harmless()
    folder = path.parent / str(number)
    with open_journal(folder / "journal.db") as journal:
        (folder / "1").touch() if journal.append("r", 0, [created()], 1.0) else None
        (folder / "4").touch() if journal.append("r", 1, [jump(n) for n in (2, 3, 4)], 2.0) else None
        ended = ev.RunEnded(status="failed", exit_code=1)
        (folder / "5").touch() if journal.append("r", 4, [ended], 3.0) else None
    os._exit(0)
for number in range(at):
    pid = os.fork()
    if pid == 0:
        child(number)
    if os.waitpid(pid, 0)[1] == 0:
        break
print(number, flush=True)
"""


@needs_strace
@pytest.mark.fault(1, 5)
@pytest.mark.parametrize("name", ["pwrite64", "fdatasync", "fsync", "ftruncate", "fcntl", "flock"])
def test_killed_at_each_system_call_the_journal_is_whole_and_on_one_side(
    tmp_path: Path, start: Start, name: str
) -> None:
    log = tmp_path / "strace.log"
    strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(log),
        "-e",
        f"trace={name}",
        "-e",
        f"inject={name}:signal=KILL:when={AT}",
    ]
    program = start(KILLED_IN_TURN, tmp_path / "journal.db", name, AT, prefix=strace)
    out, err = program.communicate(timeout=50)
    assert program.returncode == 0, err
    survivor = int(out)
    assert survivor >= 1, "nothing was killed"
    for number in range(survivor + 1):
        assert_whole(tmp_path / str(number))


def assert_whole(folder: Path) -> None:
    acknowledged = max((int(mark) for mark in ("1", "4", "5") if (folder / mark).exists()), default=0)
    if not folder.exists():
        assert acknowledged == 0
        return
    with open_journal(folder / "journal.db") as journal:
        try:
            head = journal.head("r")
        except NoSuchRun:
            head = 0
        assert head in {0, 1, 4, 5}
        assert head >= acknowledged
        if head:
            assert [stamped.sequence for stamped in journal.events("r")] == list(range(1, head + 1))
            assert journal.append("r", head, [ev.RunInterrupted(reason="on")], 4.0) == head + 1
            journal.check("r")


FAILING = """
from durun.journal.sqlite import SqliteJournal
journal = open_journal(path)
journal.append("r", 0, [created()], 1.0)
head, refused = 1, 0
for number in range(40):
    try:
        head = journal.append("r", head, [jump(number, "x" * 2000), jump(number)], 2.0)
    except DurunError as error:
        refused += 1
        print(error.exit_code, error.message, flush=True)
        again = journal.head("r")
        assert again in (head, head + 2), (head, again)
        assert len(journal.events("r")) == again
        head = again
journal.check("r")
assert journal.append("r", head, [jump(99)], 3.0) == head + 1
journal.close()
print("refused", refused, flush=True)
"""


@needs_strace
@pytest.mark.fault(21, 22)
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("fdatasync", "EIO", "the disk reports an error"),
        ("pwrite64", "EIO", "the disk reports an error"),
        ("pwrite64", "ENOSPC", "the disk is full"),
        ("pwrite64", "EDQUOT", "the disk reports an error"),
    ],
)
def test_a_commit_that_the_disk_refuses_is_read_again_and_the_journal_goes_on(
    path: Path, start: Start, call: str, error: str, words: str
) -> None:
    log = path.parent.parent / "strace.log"
    wal = f"{path}-wal"
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=60+40"]
    if call == "fdatasync":
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=6+9"]
    program = start(FAILING, path, prefix=["strace", "-qq", "-o", str(log), "-P", wal, *inject])
    out, err = program.communicate(timeout=50)
    assert program.returncode == 0, err
    *refusals, last = out.splitlines()
    assert int(last.split()[1]) == len(refusals) >= 2
    for line in refusals:
        assert line.startswith(f"8 {words}"), line
    with open_journal(path) as journal:
        journal.check("r")


FULL = """
import resource
journal = open_journal(path)
head = journal.append("r", 0, [created()], 1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    while True:
        head = journal.append("r", head, [jump(head, "x" * 3000)], 2.0)
except DurunError as error:
    print(head, error.exit_code, error.message, flush=True)
assert journal.head("r") == head, "what was not acknowledged is not there, what was is"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert journal.append("r", head, [jump(0, "room again")], 3.0) == head + 1
journal.check("r")
journal.close()
"""


@pytest.mark.fault(21)
def test_a_full_disk_stops_the_journal_and_room_lets_it_go_on(path: Path, start: Start) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    program = start(FULL, path, 400_000)
    out, err = program.communicate(timeout=50)
    assert program.returncode == 0, err
    head, code, _ = out.split(maxsplit=2)
    assert int(head) > 10
    assert code == "8"
    with open_journal(path) as journal:
        assert journal.head("r") == int(head) + 1


ACKNOWLEDGING = """
journal = open_journal(path)
head = journal.append("r", 0, [created()], 1.0)
for number in range(30):
    head = journal.append("r", head, [jump(number)], 2.0)
    os.write(1, b"%d\\n" % head)
os.kill(os.getpid(), 9)
"""


@needs_strace
@pytest.mark.fault(11)
def test_every_acknowledged_commit_was_synced_before(path: Path, start: Start) -> None:
    log = path.parent.parent / "strace.log"
    trace = ["strace", "-qq", "-y", "-o", str(log), "-e", "trace=pwrite64,write,ftruncate,fsync,fdatasync"]
    program = start(ACKNOWLEDGING, path, prefix=trace)
    out, _ = program.communicate(timeout=50)
    assert out.split() == [str(number) for number in range(2, 32)]
    dirty: set[str] = set()
    acknowledged = 0
    for line in log.read_text().splitlines():
        call, _, rest = line.partition("(")
        file = rest.partition("<")[2].partition(">")[0]
        if call == "write" and rest.startswith("1<"):
            acknowledged += 1
            assert not dirty, f"acknowledged before {dirty} was synced"
        elif call in ("pwrite64", "write", "ftruncate") and file.startswith(str(path)) and "-shm" not in file:
            dirty.add(file)
        elif call in ("fsync", "fdatasync"):
            dirty.discard(file)
    assert acknowledged == 30
    synced = [line for line in log.read_text().splitlines() if line.startswith("fsync") and f"<{path.parent}>" in line]
    assert synced, "the folder's entry for the journal must outlive a power cut, too"


CUT_SHORT = """
import sqlite3
with open_journal(path) as journal:
    journal.append("r", 0, [created(), *[jump(n, "x" * 9000) for n in range(50)]], 1.0)
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = DELETE")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("DROP TRIGGER event_is_never_changed")
connection.execute("UPDATE event SET body = zeroblob(9000)")
os.kill(os.getpid(), 9)
"""


@pytest.mark.fault(5)
def test_without_wal_a_reader_finds_a_commit_cut_short_undone(path: Path, start: Start) -> None:
    start(CUT_SHORT, path).communicate(timeout=50)
    assert path.with_name("journal.db-journal").stat().st_size > 0
    reader = open_journal(path, read_only=True)
    assert reader.head("r") == 51
    reader.check("r")
    assert not path.with_name("journal.db-journal").exists()
