"""Ctrl-C, Ctrl-Z, Ctrl-S, a closed terminal, an input that is typed: on a real pseudo-terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from crash.harness import PATIENCE, Bench, wait_for_end, wait_until
from crash.terminal import Terminal


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
