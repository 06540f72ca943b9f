"""What durun costs, as ratios to doing the same without it. By hand: `python tests/bench/bench_cost.py [--quick]`.

Everything is measured in one run of this file, in turns, so that a busy machine slows down all sides alike; the best of
several is taken. Nothing is asserted. Memory is the runner's greatest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from crash.many_targets import BOOK, finish_all_but_one  # noqa: E402
from durun.journal.reading import read_state  # noqa: E402
from durun.journal.sqlite import open_journal  # noqa: E402


class Cost(NamedTuple):
    """Seconds, and MiB of the process that was waited for."""

    seconds: float
    memory: float


class Place:
    """A fresh state directory with a runbook."""

    def __init__(self, folder: Path, steps: str, targets: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.home = self.folder / "state"
        self.book = self.folder / "bench.yaml"
        head = "inputs:\n  effects: {type: string, required: true}\n"
        self.book.write_text(f"durun: 1\nname: bench\n{head}steps:\n{steps}")
        if targets:
            (self.folder / "names.json").write_text(json.dumps([f"host-{number:06}" for number in range(targets)]))

    def durun(self, *argv: str, program: list[str] | None = None, code: int = 0, **env: str) -> Cost:
        command = [*(program or [sys.executable, "-m", "durun"]), *argv]
        if argv[0] == "run":
            command += ["-i", f"effects={self.folder / 'effects'}"]
        found = {**os.environ, "DURUN_HOME": str(self.home), "PYTHONPATH": str(ROOT), **env}
        return measure(command, found, code)

    def run(self) -> Cost:
        return self.durun("run", "--quiet", str(self.book))


def measure(command: list[str], env: dict[str, str] | None = None, code: int = 0) -> Cost:
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        raise SystemExit(f"{command}: exit code {process.returncode}")
    return Cost(seconds, usage.ru_maxrss / 1024)


SILENT, TALKATIVE = ["true"], ["echo", "a line"]


def chain(length: int, command: list[str] = SILENT) -> str:
    return "".join(f"  - {{id: s{number}, run: {command}}}\n" for number in range(length))


FAN_OUT = """\
  - id: each
    targets: {file: names.json}
    max_parallel: 2
    shell: sh
    run: ':'
"""


def loop(count: int, command: list[str] = SILENT) -> Cost:
    """The least that a Python program can do: the same processes, with pipes, one after the other."""
    begin = time.perf_counter()
    for _ in range(count):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return Cost(time.perf_counter() - begin, 0)


def xargs(count: int) -> Cost:
    return measure(["sh", "-c", f"seq {count} | xargs -P2 -I_ sh -c : _"])


def best(times: int, *sides: Callable[[], Cost]) -> list[Cost]:
    """The best of each side, measured in turns."""
    found = [[side() for side in sides] for _ in range(times)]
    return [min(turn[number] for turn in found) for number in range(len(sides))]


def row(what: str, ours: Cost, than: str, theirs: Cost, per: int = 1) -> None:
    each = (ours.seconds - theirs.seconds) / per * 1000
    print(
        f"{what:<34} {ours.seconds:8.3f} s   {than:<24} {theirs.seconds:8.3f} s   "
        f"x{ours.seconds / theirs.seconds:6.2f}   +{each:7.2f} ms each   {ours.memory:6.1f} MiB"
    )


def resume_with_one_left(folder: Path, count: int) -> None:
    """The run is made as in the test of the same name, and its last target is resumed."""
    place = Place(folder, "", count)
    place.book.write_text(BOOK)
    trap = [sys.executable, str(ROOT / "tests" / "crash" / "crashpoint.py")]
    start = place.durun("run", "--quiet", str(place.book), program=trap, code=-9, CRASH_AT="runner send.before 1")
    run = next((place.home / "runs").iterdir()).name
    finish_all_but_one(place.home, run, count)
    began = time.time()
    resumed = place.durun("resume", "--quiet", run)
    with open_journal(place.home / "journal.db", read_only=True) as journal:
        last = max(task.attempts[-1].started_at for task in read_state(journal, run).tasks.values())
    print(
        f"{f'{count} targets: until the first starts':<34} {start.seconds:8.3f} s   {start.memory:6.1f} MiB\n"
        f"{f'{count} targets: resume, one left':<34} {resumed.seconds:8.3f} s   {resumed.memory:6.1f} MiB   "
        f"the task starts after {last - began:.3f} s"
    )


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer repetitions, 10,000 targets instead of 100,000")
    quick = options.parse_args().quick
    times = 2 if quick else 5
    with tempfile.TemporaryDirectory(prefix="durun-bench-") as name:
        folder = Path(name)
        bare = [sys.executable, "-c", "pass"]
        one, python = best(times * 2, Place(folder, chain(1)).run, lambda: measure(bare))
        row("run of one step", one, "python -c pass", python)
        version, python = best(times * 2, lambda: Place(folder, chain(1)).durun("--version"), lambda: measure(bare))
        row("durun --version", version, "python -c pass", python)
        listed = Place(folder, chain(1))
        listed.run()
        history, python = best(times * 2, lambda: listed.durun("history"), lambda: measure(bare))
        row("durun history, one run", history, "python -c pass", python)
        for length, command in ((200, SILENT), (800, SILENT), (200, TALKATIVE)):
            ours, theirs = best(
                times,
                lambda n=length, c=command: Place(folder, chain(n, c)).run(),
                lambda n=length, c=command: loop(n, c),
            )
            row(f"chain of {length}: {command[0]}", ours, "subprocess.run in a loop", theirs, length)
        ours, theirs = best(times, lambda: Place(folder, FAN_OUT, 1000).run(), lambda: xargs(1000))
        row("fan-out of 1,000, two at once", ours, "xargs -P2 sh -c :", theirs, 1000)
        resume_with_one_left(folder, 10_000 if quick else 100_000)


if __name__ == "__main__":
    main()
