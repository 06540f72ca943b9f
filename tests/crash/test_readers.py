"""Readers that go or never read, descriptors that are closed, surroundings that lack what others have."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until

MANY = """
steps:
  - id: each
    targets: {targets}
    max_parallel: 4
    shell: sh
    run: eval "$MARK"
"""


def many(bench: Bench, count: int) -> str:
    return str(bench.write(MANY.format(targets=[f"a-rather-long-name-of-a-host-{n}" for n in range(count)])))


@pytest.mark.fault(54)
def test_reader_that_never_reads(bench: Bench) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = bench.start("run", many(bench, 150), stdout=writing)
    os.close(writing)
    ran = bench.finish(process)
    assert ran.code == 0, ran
    assert len(bench.effects()) == 150
    assert 3500 < len(os.read(reading, 1 << 16)) <= 4096
    os.close(reading)


@pytest.mark.fault(40)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_reader_that_goes_away(bench: Bench, options: list[str]) -> None:
    """As with `| head -1`."""
    reading, writing = os.pipe()
    process = bench.start("run", many(bench, 100), *options, stdout=writing)
    os.close(writing)
    assert os.read(reading, 10)
    os.close(reading)
    ran = bench.finish(process)
    assert (ran.code, ran.err) == (0, "")
    assert set(bench.effects().values()) == {1}
    assert len(bench.effects()) == 100


@pytest.mark.fault(40)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(bench: Bench, book: str, fifo: Path, closed: str) -> None:
    process = bench.start("run", book, prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
    bench.let_go(fifo)
    ran = bench.finish(process)
    assert ran.code == 0, ran
    assert bench.effects() == {"one": 1, "two": 1}
    bench.check()


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    "env",
    [
        {"HOME": None},
        {"LANG": "C", "LC_ALL": "C"},
        {"TERM": None},
        {"HOME": None, "TERM": None, "LANG": None, "USER": None},
    ],
    ids=["no HOME", "LANG=C", "no TERM", "nothing"],
)
def test_poor_surroundings(bench: Bench, env: dict[str, str | None]) -> None:
    book = bench.write("steps:\n  - id: one\n    name: größe ☃\n    run: 'eval \"$MARK\"; echo größe ☃'\n")
    ran = bench("run", str(book), env=env)
    assert (ran.code, ran.err) == (0, "")
    assert bench.effects() == {"one": 1}
    assert bench("logs", bench.last() or "", "one").out == "größe ☃\n"


@pytest.mark.fault(40)
def test_full_pipe_that_is_read_in_the_end(bench: Bench) -> None:
    """`--json` is never dropped: it is spooled."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = bench.start("run", many(bench, 100), "--json", stdout=writing)
    os.close(writing)
    wait_until(lambda: bench.last() is not None and bench.state().record.status == "succeeded")
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    assert bench.finish(process).code == 0
    assert sum('"task_succeeded"' in line for line in lines) == 100
    assert '"run_ended"' in lines[-1]
