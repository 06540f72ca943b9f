"""What an append, a look and a load cost. Run by hand: `python tests/bench/bench_journal.py`. Nothing is asserted."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path

from durun.journal.sqlite import SqliteJournal, open_journal
from durun.model.event import Event, RunCreated, TaskStarted, TaskSucceeded

LOG = {name: {"bytes": 12, "sha256": "a" * 64, "cut": False} for name in ("stdout", "stderr")}


def created(tasks: int) -> RunCreated:
    return RunCreated(
        runbook="bench",
        digest="d" * 64,
        text="steps: []\n" * 50,
        file="bench.yaml",
        place="/",
        inputs={},
        inputs_digest="i" * 64,
        tasks=tasks,
        by={"uid": os.getuid(), "user": "someone"},
        version="0",
        surroundings={},
    )


def started(number: int) -> Event:
    return TaskStarted(
        step="patch",
        target=f"host-{number:06}",
        attempt=1,
        folder=number,
        nonce=f"{number:032x}",
        session=1,
        idempotency_key=f"{number:040x}",
        request=f"{number:064x}",
    )


def succeeded(number: int) -> Event:
    target = f"host-{number:06}"
    return TaskSucceeded(step="patch", target=target, how="ran", exit_code=0, log=LOG, outputs={"version": str(number)})


def fsync_ms(folder: Path, times: int = 200) -> float:
    fd = os.open(folder / "fsync", os.O_CREAT | os.O_RDWR)
    begin = time.perf_counter()
    for _ in range(times):
        os.write(fd, b"x" * 4096)
        os.fdatasync(fd)
    os.close(fd)
    return (time.perf_counter() - begin) / times * 1000


def append_chain(journal: SqliteJournal, times: int) -> tuple[float, float]:
    """Wall and CPU milliseconds of one append of outcome and next intent."""
    head = journal.append("chain", 0, [created(times), started(0)], 1.0)
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(times):
        head = journal.append("chain", head, [succeeded(number), started(number + 1)], 2.0 + number)
    return (time.perf_counter() - wall) / times * 1000, (time.process_time() - cpu) / times * 1000


def fill(journal: SqliteJournal, tasks: int) -> None:
    head = journal.append("many", 0, [created(tasks)], 1.0)
    for first in range(0, tasks, 1000):
        batch = [event(n) for n in range(first, first + 1000) for event in (started, succeeded)]
        head = journal.append("many", head, batch, 2.0 + first)


def timed(what: str, call: object, times: int = 1) -> None:
    gc.collect()
    begin = time.perf_counter()
    for _ in range(times):
        call()  # type: ignore[operator]
    print(f"{what:44} {(time.perf_counter() - begin) / times * 1000:10.3f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'bare write and fdatasync':44} {fsync_ms(folder):10.3f} ms")
        path = folder / "journal.db"
        timed("open a new journal, close", lambda: open_journal(path).close())
        timed("open, close", lambda: open_journal(path).close(), 10)
        with open_journal(path) as journal:
            wall, cpu = append_chain(journal, 2000)
            print(f"{'append of 2 events':44} {wall:10.3f} ms, {cpu:.3f} ms of CPU")
            timed("head, nothing new", lambda: journal.head("chain"), 10_000)
            timed("fill 100,000 tasks", lambda: fill(journal, 100_000))
            timed("tasks(), 100,000 finished", lambda: journal.tasks("many"), 3)
            timed("landmarks of 200,000 events", lambda: journal.events("many", types=["run_created"]), 10)
            timed("check()", lambda: journal.check("many"))
        reader = open_journal(path, read_only=True)
        timed("read-only record()", lambda: reader.record("chain"), 100)


if __name__ == "__main__":
    main()
