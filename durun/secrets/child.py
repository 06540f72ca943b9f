"""Our side of the worker: it is started when it is first needed, and killed when it does not answer in time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]

# Appended, not put first: beside an installed durun lie packages that must not stand in for the standard library's.
_PROGRAM = f"""\
import sys
sys.path.append({str(_ROOT)!r})
from durun.secrets.worker import main
main()
"""
_CHUNK = 1 << 16


class NoAnswer(Exception):
    """The worker did not answer in time, or ended. `waits` is what it said it was waiting for, or empty."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.waits = ""


class Child:
    """A worker. Values go through its pipes only; it ends with us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def ask(self, request: Mapping[str, Any], limit: float, patience: float = 0.0) -> dict[str, Any]:
        """The answer to a request, within `limit` seconds, and `patience` more if it waits for somebody.

        Raises NoAnswer.
        """
        until, waits = time.monotonic() + limit, ""
        try:
            process = self._process = self._process or self._start()
            self._write(process, f"{json.dumps(request)}\n".encode(), until)
            while "waits" in (line := self._line(process, until)):
                waits = line["waits"]
                until += patience
        except TimeoutError:
            failure = NoAnswer(f"it gives no answer within {limit:g} s")
        except EOFError:
            failure = NoAnswer("it ended without an answer")
        except OSError as error:
            failure = NoAnswer(f"it can't be asked: {error.strerror}")
        except BaseException:
            self.close()  # what it would still answer is no answer to the next request
            raise
        else:
            return line
        self.close()
        failure.waits = waits
        raise failure

    def close(self) -> None:
        """End it. A later request starts a new one."""
        process, self._process, self._unread = self._process, None, b""
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            _open(pipe).close()
        process.kill()
        process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            bufsize=0,
        )
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(_open(pipe).fileno(), False)
        return process

    def _write(self, process: subprocess.Popen[bytes], data: bytes, until: float) -> None:
        pipe = _open(process.stdin).fileno()
        while data:
            _wait(pipe, select.POLLOUT, until)
            data = data[os.write(pipe, data[:_CHUNK]) :]

    def _line(self, process: subprocess.Popen[bytes], until: float) -> dict[str, Any]:
        pipe = _open(process.stdout).fileno()
        while b"\n" not in self._unread:
            _wait(pipe, select.POLLIN, until)
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                raise EOFError
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _wait(pipe: int, event: int, until: float) -> None:
    """Until the pipe is ready. Raises TimeoutError when it is too late."""
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
