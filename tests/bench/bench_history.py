"""What looking costs beside a long history. By hand: `python tests/bench/bench_history.py [--runs 100000]`.

The journal is made by its own writer, a transaction a run: nine in ten succeeded, the others failed, are in doubt or
wait for a person. Every command is measured in turns with the same in a state directory without a run, and with
`python -c pass`: the least of the user and system times of twenty turns. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from durun.journal.sqlite import open_journal  # noqa: E402
from durun.model import event as ev  # noqa: E402
from durun.model.event import Event  # noqa: E402

COMMANDS = (
    "history",
    "history --json",
    "history --status failed,in_doubt",
    "history --status interrupted",
    "history --for-me",
    "history --runbook job-7",
    "history --since 1h",
    "show @last",
    "show r099",
    "logs @last",
    "__complete show r0",
)
STEPS = ("check", "stop", "copy", "start")


def begun(number: int) -> list[Event]:
    """A run of four steps, the first of which is done."""
    created = ev.RunCreated(
        runbook=f"job-{number % 20}",
        digest=f"{number % 20:064}",
        text="steps: []\n" * 50,
        file="job.yaml",
        place="/srv",
        inputs={"host": f"host-{number}"},
        inputs_digest=f"{number:064}",
        tasks=len(STEPS),
        by={"uid": os.getuid(), "user": "someone", "host": "ops1"},
        version="0",
        surroundings={"env": {}},
        steps=STEPS,
    )
    session = ev.SessionStarted(
        session=1, reason="start", pid=1, host="ops1", boot_id="b", pid_namespace="p", mount_id="m", by={}
    )
    return [created, session, *done(STEPS[0], 1)]


def started(step: str, folder: int) -> Event:
    """An attempt."""
    return ev.TaskStarted(
        step=step,
        attempt=1,
        folder=folder,
        nonce=f"{folder:032x}",
        session=1,
        idempotency_key="k" * 26,
        request="r" * 64,
    )


def done(step: str, folder: int) -> list[Event]:
    """A step that was done."""
    return [started(step, folder), ev.TaskSucceeded(step=step, how="ran", exit_code=0)]


def told(number: int) -> list[Event]:
    """All that happened to a run."""
    events = begun(number)
    match number % 40:
        case 0 | 1 | 2:
            failed = ev.TaskFailed(step=STEPS[1], code="exit", reason="exit code 7", exit_code=7, how="ran")
            events += [started(STEPS[1], 2), failed, ev.RunEnded(status="failed", exit_code=1)]
        case 3 if number % 400 == 3:
            doubt = ev.TaskInDoubt(step=STEPS[1], reason="ended by signal 9")
            events += [started(STEPS[1], 2), doubt, ev.RunParked(status="in_doubt", reason="in doubt")]
        case 4 if number % 400 == 4:
            asked = {"instructions": "Swap the disk.", "nonce": "n", "digest": "d", "fields": {}}
            waits = ev.TaskWaiting(step=STEPS[1], kind="manual", until=None, asked=asked)
            events += [waits, ev.RunParked(status="waiting", reason="for people")]
        case _:
            events += [event for folder, step in enumerate(STEPS[1:], 2) for event in done(step, folder)]
            events.append(ev.RunEnded(status="succeeded", exit_code=0))
    return events


def fill(home: Path, runs: int) -> float:
    """Write the runs, the newest of them now; returns the seconds that it took."""
    begin, now = time.perf_counter(), time.time()
    with open_journal(home / "journal.db") as journal:
        for number in range(runs):
            journal.append(f"r{number:06}", 0, told(number), now - (runs - number) * 60)
    return time.perf_counter() - begin


def cpu(argv: list[str], home: Path) -> float:
    """Milliseconds of user and system time."""
    env = {**os.environ, "DURUN_HOME": str(home), "PYTHONPATH": str(ROOT)}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *argv], env=env, **quiet)  # type: ignore[call-overload]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return float(usage.ru_utime + usage.ru_stime) * 1000


def rows(full: Path, empty: Path, times: int) -> Iterator[str]:
    """A line for each command."""
    for words in COMMANDS:
        argv = ["-m", "durun", *words.split()]
        turns = [(cpu(["-c", "pass"], empty), cpu(argv, empty), cpu(argv, full)) for _ in range(times)]
        bare, before, after = (min(column) for column in zip(*turns, strict=True))
        yield f"{words:<34} {before:7.1f} ms  {after:7.1f} ms  +{after - before:6.1f} ms   x{after / bare:5.2f}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=100_000)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--home", type=Path, help="a journal made by an earlier call, or where to keep it")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="durun-bench-") as name:
        full, empty = asked.home or Path(name) / "full", Path(name) / "empty"
        if not (full / "journal.db").exists():
            seconds = fill(full, asked.runs)
            size = (full / "journal.db").stat().st_size >> 20
            print(f"{asked.runs} runs written in {seconds:.0f} s: {size} MiB", flush=True)
        open_journal(empty / "journal.db").close()
        print(f"{'command':<34} {'no run':>10}  {f'{asked.runs} runs':>12}  {'more':>9}   of python -c pass")
        for line in rows(full, empty, asked.times):
            print(line, flush=True)


if __name__ == "__main__":
    main()
