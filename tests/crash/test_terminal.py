"""Ctrl-C, Ctrl-Z, Ctrl-S, a closed terminal, a reader that goes or never reads: by a real pseudo-terminal or pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_harness import PATIENCE, Bench, wait_for_end, wait_until

TWO = """
steps:
  - id: one
    run: |
      eval "$MARK"
      read -r _ < {fifo} || true
  - id: two
    run: eval "$MARK"
"""


class Terminal:
    """durun on a terminal of its own, in the foreground, as from a shell."""

    def __init__(self, bench: Bench, *argv: str, **env: str) -> None:
        self.master, slave = os.openpty()
        self.process = bench.start(
            *argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            text=None,
            prefix=["setsid", "--ctty"],
            env={"TERM": "xterm", **env},
        )
        os.close(slave)
        self.said = ""

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read_until(self, text: str) -> None:
        """Read what is shown until this text is among it; an empty text: to the end."""

        def there() -> bool:
            if text and text in self.said:
                return True
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.said += os.read(self.master, 4096).decode(errors="replace")
                except OSError:  # the other side is closed
                    return not text
            return bool(text) and text in self.said

        wait_until(there)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        while not wait_for_end(self.process.pid, 0.05):
            with contextlib.suppress(OSError):
                if select.select([self.master], [], [], 0)[0]:
                    self.said += os.read(self.master, 4096).decode(errors="replace")
        return self.process.wait()

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def fifo(bench: Bench) -> Path:
    return bench.fifo()


@pytest.fixture
def book(bench: Bench, fifo: Path) -> str:
    return str(bench.write(TWO.format(fifo=fifo)))


@pytest.fixture
def terminal(bench: Bench, book: str) -> Iterator[Terminal]:
    """A run on a terminal, whose first step has had its effect and waits."""
    made = Terminal(bench, "run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    yield made
    made.close()


@pytest.mark.fault(14)
def test_ctrl_c_once_waits_for_what_runs(bench: Bench, terminal: Terminal, fifo: Path) -> None:
    terminal.type(b"\x03")
    terminal.read_until("waiting for 1 running")
    bench.let_go(fifo)
    assert terminal.end() == 130
    assert bench.effects() == {"one": 1}
    assert bench.show()["status"] == "interrupted"
    assert bench.task("one")["how"] == "ran"
    assert bench("resume", bench.last() or "").code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(14)
def test_ctrl_c_twice_leaves_and_what_runs_goes_on(bench: Bench, terminal: Terminal, fifo: Path) -> None:
    terminal.type(b"\x03")
    terminal.read_until("waiting for 1 running")
    terminal.type(b"\x03")
    assert terminal.end() == 130
    assert bench.steps()
    bench.let_go(fifo)
    assert bench("resume", bench.last() or "").code == 0
    assert bench.task("one")["how"] == "adopted"
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(14)
def test_closed_terminal(bench: Bench, terminal: Terminal, fifo: Path) -> None:
    terminal.close()
    assert wait_for_end(terminal.process.pid, PATIENCE)
    assert terminal.process.wait() in (143, -signal.SIGHUP)
    assert bench.steps()
    bench.let_go(fifo)
    assert bench("resume", bench.last() or "").code == 0
    assert bench.task("one")["how"] == "adopted"
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(14)
def test_ctrl_z_then_kill(bench: Bench, fifo: Path, book: str) -> None:
    process = bench.start("run", book, process_group=0)
    wait_until(lambda: bench.effects()["one"] == 1)
    os.kill(process.pid, signal.SIGTSTP)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")
    bench.let_go(fifo)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    ran = bench.finish(process)
    assert ran.code == 143, ran
    assert bench("resume", bench.last() or "").code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(14)
def test_stopped_runner_killed_outright(bench: Bench, fifo: Path, book: str) -> None:
    process = bench.start("run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    os.kill(process.pid, signal.SIGSTOP)
    bench.kill(process.pid)
    bench.finish(process)
    bench.let_go(fifo)
    assert bench("resume", bench.last() or "").code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(14)
def test_sigterm_leaves(bench: Bench, fifo: Path, book: str) -> None:
    process = bench.start("run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    process.terminate()
    ran = bench.finish(process)
    assert ran.code == 143, ran
    run = bench.last() or ""
    assert f"durun resume {run}" in ran.out + ran.err
    bench.let_go(fifo)
    assert bench("resume", run).code == 0
    assert bench.task("one")["how"] == "adopted"
    assert bench.effects() == {"one": 1, "two": 1}


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
def test_terminal_stopped_with_ctrl_s(bench: Bench, fifo: Path, book: str) -> None:
    terminal = Terminal(bench, "run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    terminal.type(b"\x13")
    bench.let_go(fifo)
    wait_until(lambda: bench.state().record.status == "succeeded")
    assert bench.effects() == {"one": 1, "two": 1}
    terminal.type(b"\x11")
    assert terminal.end() == 0
    terminal.close()


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


def test_terminal_is_what_is_tested() -> None:
    """The keys above mean what they mean on a terminal as the kernel makes it."""
    master, slave = os.openpty()
    attributes = termios.tcgetattr(slave)
    assert attributes[6][termios.VINTR] == b"\x03"
    assert attributes[6][termios.VSTOP] == b"\x13"
    assert attributes[3] & termios.ISIG
    os.close(master)
    os.close(slave)
    assert subprocess.run(["setsid", "--version"], capture_output=True, check=False).returncode == 0


def test_a_secret_input_is_asked_for_without_echo(bench: Bench) -> None:
    pin = "  pin: {secret: true, required: true, pattern: '^[0-9]+$', description: of the vault}"  # ends `inputs`
    book = str(bench.write('\nsteps:\n  - id: one\n    run: eval "$MARK"\n', head=pin))
    for typed, code, effects in ((b"4711\n", 0, 1), (b"hunter2\n", 2, 1), (b"\x04", 2, 1), (b"\x03", 130, 1)):
        terminal = Terminal(bench, "run", book)
        terminal.read_until("pin (of the vault): ")
        terminal.type(typed)
        assert terminal.end() == code, terminal.said
        terminal.close()
        assert "4711" not in terminal.said and "hunter2" not in terminal.said
        assert bench.effects()["one"] == effects
