"""The `command` provider: a program such as `pass`, `vault` or `op` whose stdout is the secret.

What it writes to stderr is dropped, for it may hold the secret too: a message says how the program ended, and how to
run it by hand.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from durun.errors import SecretUnavailable
from durun.secrets.files import LARGEST

LIMIT = 10.0
"""Seconds that it may take when nothing is said."""

_CHUNK = 1 << 16
_GLANCE = 0.05
_NEWLINE = 1


def output_of(argv: Sequence[str], folder: str, environ: Mapping[str, str], limit: float = LIMIT) -> bytes:
    """What the command writes to stdout until it ends well, which is more than nothing.

    It has a session of its own, so that it can ask on no terminal and that all of it is killed when it takes longer
    than `limit` seconds. Raises SecretUnavailable.
    """
    by_hand = f"to see why, run it by hand: cd {shlex.quote(folder)} && {shlex.join(argv)}"
    process = _start(argv, folder, environ)
    try:
        stdout = _read(process, time.monotonic() + limit)
        code = process.returncode
    except TimeoutError:
        raise SecretUnavailable(f"the command {argv[0]} took longer than {limit:g} s", by_hand) from None
    finally:
        _end(process)
    if len(stdout) > LARGEST + _NEWLINE:
        raise SecretUnavailable(f"the command {argv[0]} wrote more than a secret", f"up to {LARGEST} bytes")
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise SecretUnavailable(f"the command {argv[0]} ended with {how}", by_hand)
    if not stdout.removesuffix(b"\n"):
        raise SecretUnavailable(f"the command {argv[0]} wrote nothing to stdout", by_hand)
    return stdout


def _start(argv: Sequence[str], folder: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise SecretUnavailable(
            _not_started(argv[0], folder, error), "see that it is on PATH, and executable"
        ) from None


def _not_started(command: str, folder: str, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return f"the command {command!r} can't be started: {error}"
    if not Path(folder).is_dir():
        return f"the folder {folder} is gone, where the command {command} is to be run"
    if isinstance(error, FileNotFoundError):
        return f"command not found: {command}"
    return f"the command {command} can't be started: {error.strerror}"


def _read(process: subprocess.Popen[bytes], until: float) -> bytes:
    """All of stdout, up to a little more than a secret may have. Raises TimeoutError.

    The end of the command is the end, even if something that it left behind still holds the pipe.
    """
    pipe = process.stdout
    assert pipe is not None
    read = b""
    while len(read) <= LARGEST + _NEWLINE:
        ended = process.poll() is not None
        chunk = _chunk(pipe, 0.0 if ended else _time_left(until))
        if chunk:
            read += chunk
        elif ended:
            break
        elif chunk is not None:
            _wait(process, _time_left(until))
    return read


def _chunk(pipe: IO[bytes], wait: float) -> bytes | None:
    """What is there, b"" at its end, None when nothing comes in this moment."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if not poll.poll(min(wait, _GLANCE) * 1000):
        return None
    return os.read(pipe.fileno(), _CHUNK)


def _wait(process: subprocess.Popen[bytes], limit: float) -> None:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def _time_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of it; if it has not ended, with all that is in its group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
