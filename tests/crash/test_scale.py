"""Very much output, very many targets: memory stays bounded, and a resume is quick."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from crash.harness import Bench
from crash.many_targets import BOOK, finish_all_but_one, names

MIB = 1 << 20


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "produce", ["cat /dev/zero", 'yes "$(printf "\\033[2J")"', "cat /dev/urandom"], ids=["NUL", "ANSI", "noise"]
)
def test_output_without_end_is_capped(bench: Bench, produce: str) -> None:
    """The next step reads how much memory its parent, the supervisor, and that one's parent, the runner, have used."""
    size = 1 << 30 if "zero" in produce else 64 << 20
    sizes = bench.folder / "sizes"
    book = bench.write(
        f"""
steps:
  - id: one
    run: |
      {produce} | head -c {size} || true
    shell: sh
  - id: two
    run: |
      runner=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$PPID/status)
      sed -n 's/^VmHWM:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/$PPID/status "/proc/$runner/status" > {sizes}
      eval "$MARK"
"""
    )
    ran = bench("run", str(book))
    assert ran.code == 0, ran
    log = bench.task("one")["attempts"][0]["log"]["stdout"]
    assert log["bytes"] == size
    assert log["cut"] is True
    if "zero" in produce:
        assert log["sha256"] == "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
    supervisor, runner = (int(line) / 1024 for line in sizes.read_text().split())
    assert supervisor < 64
    assert runner < 64
    bench.quiet()
    on_disk = sum(path.stat().st_size for path in bench.home.rglob("log"))
    assert on_disk < 40 * MIB
    assert bench.effects() == {"two": 1}


@pytest.mark.fault(34)
def test_escapes_are_shown_harmless_on_a_terminal(bench: Bench) -> None:
    book = bench.write("steps:\n  - id: one\n    run: printf 'a\\033[2J\\033]0;title\\007b\\n'\n")
    assert bench("run", str(book)).code == 0
    master, slave = os.openpty()
    process = bench.start("logs", bench.last() or "", stdout=slave, stderr=slave, text=None)
    process.wait(30)
    os.close(slave)
    shown = os.read(master, 1 << 16)
    os.close(master)
    assert b"\x1b[2J" not in shown
    assert b"\x1b]0" not in shown
    assert b"a" in shown
    assert b"title" in shown


def nearly_done(bench: Bench, count: int) -> tuple[str, str]:
    """A run of so many targets that lacks the last one: its id, and that target."""
    book = bench.book / "many.yaml"
    book.write_text(BOOK)
    (bench.book / "names.json").write_text(json.dumps(names(count)))
    sprung, _ = bench.crash("run", str(book), at="runner send.before 1")
    assert sprung
    bench.quiet()
    run = bench.last() or ""
    return run, finish_all_but_one(bench.home, run, count)


class Measured:
    """A resume: how much memory the runner took until its one target had started, and how much of a processor's time.

    On an idle machine that is how long it takes; whoever else is at work has no part in it.
    """

    def __init__(self, bench: Bench, run: str) -> None:
        process = bench.start("resume", run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.code = process.wait(50)
        # The step reads both from /proc: ru_maxrss would count what this test's own process took before the exec.
        self.memory = int(Path(f"{bench.effects_file}.peak").read_text()) / 1024
        ticks = Path(f"{bench.effects_file}.ticks").read_text().split()
        self.seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.fault(41)
def test_resume_of_10000_targets_with_one_left(bench: Bench) -> None:
    run, last = nearly_done(bench, 10_000)
    measured = Measured(bench, run)
    assert measured.code == 0
    assert bench.effects() == {last: 1}
    assert measured.seconds < 1
    assert measured.memory < 150
    assert bench.state().record.status == "succeeded"


@pytest.mark.soak
@pytest.mark.fault(41)
@pytest.mark.skipif("DURUN_SOAK" not in os.environ, reason="long: set DURUN_SOAK=1")
def test_resume_of_100000_targets_with_one_left(bench: Bench) -> None:
    run, last = nearly_done(bench, 100_000)
    measured = Measured(bench, run)
    assert measured.code == 0
    assert bench.effects() == {last: 1}
    assert measured.seconds < 2
    assert measured.memory < 500


@pytest.mark.fault(41, 6)
def test_fan_out_of_many_targets_killed_in_the_middle(bench: Bench) -> None:
    """Every target once, though the runner is killed again and again."""
    book = bench.book / "many.yaml"
    book.write_text(BOOK)
    (bench.book / "names.json").write_text(json.dumps(names(400)))
    sprung, _ = bench.crash("run", str(book), at="runner append.after 100")
    assert sprung
    for point in ("append.before 70", "send.after 70", "land.before 70"):
        sprung, ran = bench.crash("resume", bench.last() or "", at=f"runner {point}")
        assert sprung, ran
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert bench.effects() == dict.fromkeys(names(400), 1)
    bench.check()
    assert not list(Path(bench.home).glob("runs/*/stop"))
