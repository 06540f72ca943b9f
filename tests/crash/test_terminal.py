"""Ctrl-C, Ctrl-Z, Ctrl-S, a closed terminal, a reader that goes or never reads: by a real pseudo-terminal or pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
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

    def __init__(self, bench: Bench, *argv: str, size: tuple[int, int] = (80, 24), **env: str) -> None:
        self.master, slave = os.openpty()
        self.resize(*size)
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

    def resize(self, columns: int, rows: int) -> None:
        """Make it so large; the kernel tells the process in the foreground."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

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
        """Wait for the end, and read all that was shown; the exit code."""
        while not wait_for_end(self.process.pid, 0.05):
            self._take()
        self._take()
        return self.process.wait()

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while select.select([self.master], [], [], 0)[0]:
                self.said += os.read(self.master, 4096).decode(errors="replace")

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


@pytest.fixture
def calm(bench: Bench, book: str) -> Iterator[Terminal]:
    """As `terminal`, without colours."""
    made = Terminal(bench, "run", book, NO_COLOR="1")
    made.read_until("0 of 2 tasks  1 running")
    yield made
    made.close()


def lines_of(said: str) -> list[str]:
    """The lines, without what moves the cursor or colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said).splitlines()


def test_the_picture_follows_the_size_of_the_terminal(bench: Bench, calm: Terminal, fifo: Path) -> None:
    for columns, rows in ((40, 10), (200, 60), (40, 15), (80, 24)):
        calm.said = ""
        calm.resize(columns, rows)
        calm.read_until("0 of 2 tasks")
        assert re.match(r"\x1b\[\dF\x1b\[J", calm.said), "it is painted anew, at once"
        assert max(map(len, lines_of(calm.said))) < columns
    calm.said = ""
    bench.let_go(fifo)
    assert calm.end() == 0
    assert "succeeded after" in calm.said
    assert "2 of 2 tasks" not in calm.said.rsplit("\x1b[J", 1)[1], "how far it is is not told of a run that is over"


def test_a_run_that_only_waits_writes_little(bench: Bench, calm: Terminal, fifo: Path) -> None:
    calm.said = ""
    calm.read_until("\n  4.")
    assert len(calm.said) < 4 * 500
    assert "F\x1b[J" not in calm.said, "nothing is wiped and then written again"
    bench.let_go(fifo)
    assert calm.end() == 0


def test_after_a_stop_the_picture_begins_below_what_the_shell_wrote(
    bench: Bench, terminal: Terminal, fifo: Path
) -> None:
    terminal.read_until("0 of 2 tasks")
    os.kill(terminal.process.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{terminal.process.pid}/stat")
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")
    while select.select([terminal.master], [], [], 0)[0]:
        os.read(terminal.master, 4096)
    terminal.said = ""
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.read_until("0 of 2 tasks")
    assert not re.search(r"\x1b\[\d+F", terminal.said.split("0 of 2 tasks")[0])
    bench.let_go(fifo)
    assert terminal.end() == 0


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_can_not_show_a_picture_has_plain_lines(bench: Bench, book: str, fifo: Path, env) -> None:
    terminal = Terminal(bench, "run", book, **env)
    terminal.read_until("one started")
    bench.let_go(fifo)
    assert terminal.end() == 0
    assert "\x1b" not in terminal.said
    assert "\\u" not in terminal.said
    assert re.search(r"^\d\d:\d\d:\d\d two succeeded", terminal.said, re.MULTILINE)
    terminal.close()


def test_no_colour(bench: Bench, book: str, fifo: Path) -> None:
    terminal = Terminal(bench, "run", book, NO_COLOR="1")
    terminal.read_until("one running")
    bench.let_go(fifo)
    assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.said)
    terminal.close()


def test_what_a_step_wrote_is_not_obeyed_by_the_terminal(bench: Bench) -> None:
    script = "printf 'DURUN_REASON=a\\033[2J\\033]0;title\\007b\\n' >> \"$DURUN_OUTPUT\"; printf '\\033[2J'; exit 3"
    terminal = Terminal(bench, "run", str(bench.write(f"\nsteps:\n  - id: one\n    run: |\n      {script}\n")))
    assert terminal.end() == 1
    assert "one FAILED: " in terminal.said
    assert "\x1b[2J" not in terminal.said
    assert "\x1b]" not in terminal.said
    terminal.close()


UNDONE = """
on_failure: rollback
steps:
  - id: each
    targets: [a, b]
    run: eval "$MARK"
    rollback: {run: 'true'}
  - id: bad
    run: |
      echo "DURUN_REASON=there is no route to the host that it wants, and so it can do nothing" >> "$DURUN_OUTPUT"
      exit 2
"""


def test_a_rollback_has_a_bar_and_what_is_read_is_broken_between_words(bench: Bench) -> None:
    terminal = Terminal(bench, "run", str(bench.write(UNDONE)), size=(60, 24), NO_COLOR="1")
    assert terminal.end() == 1
    lines = lines_of(terminal.said)
    assert any(re.match("✔ each@rollback ━+ 2/2 ", line) for line in lines)
    assert any(re.match("↺ each +━+ 2/2  2 rolled back ", line) for line in lines)
    assert "bad FAILED: there is no route to the host that it wants," in lines
    assert re.match(
        r"  and so it can do nothing \(after \d",
        lines[lines.index("bad FAILED: there is no route to the host that it wants,") + 1],
    )
    assert "  bad failed: there is no route to the host that it wants," in lines
    terminal.close()


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
