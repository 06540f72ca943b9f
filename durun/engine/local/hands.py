"""The runner's side of its supervisor: start it, give orders, hear replies."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from durun.engine.local.wire import Channel, Gone, OpenOrder, Order, Reply, ShutdownOrder
from durun.errors import CannotStart

_ROOT = Path(__file__).parents[3]

# Appended, not put first: beside an installed durun lie packages that must not stand in for the standard library's.
# Nothing is loaded from the other places until there are secrets.
_PROGRAM = """\
import sys
sys.path += {places!r}
from durun.engine.local.supervisor.main import main
main({descriptor})
"""


class Hands:
    """A supervisor that belongs to this process.

    Wait on `fileno()` for reading, and while `unsent` also for writing; then call `receive()`. It gives `Gone` once,
    as the last reply. No call waits for the supervisor but `close`.
    """

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self._channel = channel
        self._gone = False
        self._reaped = False

    @classmethod
    def start(cls) -> Hands:
        """Start a supervisor, in a session of its own; returns before it is ready. Raises CannotStart."""
        try:
            ours, theirs = socket.socketpair()
            program = _PROGRAM.format(places=_places(), descriptor=theirs.fileno())
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            raise CannotStart(
                f"the supervisor can't be started: {error.strerror}", "see to the limits of this user: ulimit -a"
            ) from error
        # It may outlive us, and is waited for by pid: subprocess has no more to do with it.
        process.returncode = 0
        return cls(process.pid, Channel(ours))

    def open(self, run_folder: Path, session: int) -> None:
        """The first order: work for this run. Answered by Opened or NotOpened."""
        self.send([OpenOrder(str(run_folder.absolute()), session)])

    def send(self, orders: Iterable[Order]) -> None:
        """Give orders. What the socket does not take now is sent by later calls."""
        self._channel.send(orders)

    @property
    def unsent(self) -> bool:
        """Whether to wait for writing, too."""
        return self._channel.unsent

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._channel.fileno()

    def receive(self) -> list[Reply]:
        """All replies that are there; never waits. The last one of all is Gone."""
        if self._gone:
            return []
        self._channel.flush()
        replies: list[Reply] = self._channel.receive()
        if self._channel.ended:
            self._gone = True
            self._channel.close()
            replies.append(Gone())
        return replies

    def leave(self) -> None:
        """Let go as a killed runner does: it finishes what runs, makes it durable, and ends."""
        if not self._gone:
            self._gone = True
            self._channel.close()

    def close(self, patience: float = 0.0) -> None:
        """Tell it that all that has ended is committed, and let go; waits up to `patience` seconds for its end.

        To leave it at work, so that all that it does is adopted later: `leave`.
        """
        self.send([ShutdownOrder()])
        until = time.monotonic() + patience
        while not self._gone and (left := until - time.monotonic()) > 0:
            writing = [self._channel] if self.unsent else []
            select.select([self._channel], writing, [], left)
            self.receive()
        self.leave()
        self._reap(until)

    def _reap(self, until: float) -> None:
        """Take its exit status, so that a runner that lives on (or is pid 1) keeps no zombie."""
        while not self._reaped:
            try:
                self._reaped = os.waitpid(self.pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                self._reaped = True
            if time.monotonic() >= until:
                return
            if not self._reaped:
                time.sleep(0.002)


def _places() -> list[str]:
    """Where a supervisor finds durun, and the libraries that the redaction and sealing of secrets need."""
    libraries = [place for place in sys.path if place.endswith(("/site-packages", "/dist-packages"))]
    return [str(_ROOT), *(place for place in libraries if place != str(_ROOT))]


_early: list[Hands] = []


def start_early() -> None:
    """Start a supervisor before it is known what for, while this process still loads. Raises CannotStart."""
    _early.append(Hands.start())


def leave_early() -> None:
    """Let the supervisor go that was started early and that nobody took."""
    while _early:
        _early.pop().leave()


def take() -> Hands:
    """The supervisor that was started early, or else a new one. Raises CannotStart."""
    return _early.pop() if _early else Hands.start()
