from __future__ import annotations

import itertools
import os
import select
import shlex
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from durun.errors import SecretUnavailable
from durun.secrets.commands import output_of

HERE = {"PATH": os.environ["PATH"]}


def script(text: str) -> list[str]:
    return ["sh", "-c", text]


def refusal(argv: list[str], folder: Path, **more: Any) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as caught:
        output_of(argv, str(folder), more.pop("environ", HERE), **more)
    return caught.value


def alive(pid: int) -> bool:
    """Whether the process is there and not a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_stdout_is_the_secret_and_stderr_is_not(tmp_path):
    assert output_of(script("echo noise >&2; echo hunter22"), str(tmp_path), HERE) == b"hunter22\n"


def test_a_command_that_fails_is_told_by_its_exit_code_and_never_by_what_it_wrote(tmp_path, capfd):
    argv = script("echo hunter22; echo hunter22 >&2; exit 3")
    error = refusal(argv, tmp_path)
    assert error.message == "the command sh ended with exit code 3"
    assert error.hint == f"to see why, run it by hand: cd {tmp_path} && {shlex.join(argv)}"
    assert capfd.readouterr() == ("", "")


def test_a_command_that_is_killed_is_told(tmp_path):
    assert refusal(script("kill -9 $$"), tmp_path).message == "the command sh ended with signal 9"


def test_a_command_that_is_not_there(tmp_path):
    assert refusal(["no-such-command"], tmp_path).message == "command not found: no-such-command"


def test_a_command_that_may_not_be_run(tmp_path):
    (tmp_path / "x").write_text("#!/bin/sh\n")
    message = refusal(["./x"], tmp_path).message
    assert message == "the command ./x can't be started: Permission denied"


def test_a_folder_that_is_gone(tmp_path):
    assert "the folder" in refusal(["true"], tmp_path / "gone").message


def test_it_reads_nothing_and_has_no_terminal(tmp_path):
    asks = "cat; if (: </dev/tty) 2>/dev/null; then echo terminal; else echo none; fi"
    assert output_of(script(asks), str(tmp_path), HERE) == b"none\n"


@pytest.mark.fault(30)
def test_all_of_it_is_killed_when_it_takes_too_long(tmp_path, monkeypatch):
    """Its time begins to pass when both of them are there."""
    os.mkfifo(tmp_path / "pids")
    reader = os.open(tmp_path / "pids", os.O_RDONLY | os.O_NONBLOCK)
    begun = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(begun) > 0 and bool(select.select([reader], [], [], 0)[0])))
    monkeypatch.setattr("durun.secrets.commands.time", clock)
    error = refusal(script("sleep 300 & echo $$ $! > pids; wait"), tmp_path, limit=0.5)
    assert "took longer than 0.5 s" in error.message
    pids = [int(word) for word in os.read(reader, 100).split()]
    os.close(reader)
    assert len(pids) == 2
    until = time.monotonic() + 10
    while any(map(alive, pids)):
        assert time.monotonic() < until, "something of it is still there"


def test_what_it_leaves_behind_is_not_waited_for(tmp_path):
    """An agent that is started once and keeps its stdout."""
    argv = script("sleep 300 & echo $! >pid; echo hunter22")
    try:
        assert output_of(argv, str(tmp_path), HERE, limit=50) == b"hunter22\n"
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_that_closes_stdout_and_goes_on_is_waited_for(tmp_path):
    assert output_of(script("echo hunter22; exec >&-; : > done"), str(tmp_path), HERE) == b"hunter22\n"
    assert (tmp_path / "done").exists()
    assert "took longer" in refusal(script("echo x; exec >&-; sleep 300"), tmp_path, limit=0.3).message


def test_a_command_that_writes_without_end_is_stopped(tmp_path):
    assert "more than a secret" in refusal(["yes"], tmp_path, limit=50).message


def test_a_command_that_writes_nothing(tmp_path):
    assert refusal(["true"], tmp_path).message == "the command true wrote nothing to stdout"


def test_a_word_that_can_t_be_an_argument(tmp_path):
    assert "can't be started" in refusal(["echo", "a\0b"], tmp_path).message
