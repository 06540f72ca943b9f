"""A real supervisor, and a place to try it in."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durun.engine.local import hands as hands_module
from durun.engine.local.folder import attempt_folder
from durun.engine.local.hands import Hands
from durun.engine.local.logs import read_log, read_stream
from durun.engine.local.wire import Ended, Gone, Opened, Started, StartOrder, StopOrder

PATIENCE = 20.0


def wait_until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for a condition of the outside world, looking every few milliseconds."""
    until = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        select.select([], [], [], 0.005)
    return value


def lives(pid: int) -> bool:
    """Whether a process works: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Rig:
    """One run's folder and the supervisor of its session 1. Every attempt has a nonce of its own."""

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.hands = Hands.start()
        self.replies: list[Any] = []
        self._nonce = os.urandom(8).hex()
        self.hands.open(run_folder, 1)

    @property
    def pid(self) -> int:
        return self.hands.pid

    def folder(self, number: int = 1) -> Path:
        return attempt_folder(self.run_folder, number)

    def nonce(self, number: int = 1) -> str:
        return f"{self._nonce}-{number}"

    def order(self, *argv: str, number: int = 1, **more: Any) -> StartOrder:
        env = {"PATH": os.environ["PATH"], **more.pop("env", {})}
        return StartOrder(number, self.nonce(number), list(argv), env, more.pop("cwd", "/"), **more)

    def start(self, *argv: str, **more: Any) -> Started:
        """Order a start and wait until it runs."""
        order = self.order(*argv, **more)
        self.hands.send([order])
        return self.wait(Started, order.folder)

    def run(self, *argv: str, **more: Any) -> Ended:
        """Order a start and wait until it is over."""
        order = self.order(*argv, **more)
        self.hands.send([order])
        return self.wait(Ended, order.folder)

    def script(self, text: str, **more: Any) -> Ended:
        return self.run("sh", "-c", text, **more)

    def stop(self, number: int = 1) -> None:
        self.hands.send([StopOrder(number)])

    def wait(self, kind: type[Any], number: int | None = None, patience: float = PATIENCE) -> Any:
        """The first reply of this kind (for this folder) that was not handed out yet."""
        until = time.monotonic() + patience
        while True:
            for reply in self.replies:
                if isinstance(reply, kind) and number in (None, getattr(reply, "folder", None)):
                    self.replies.remove(reply)
                    return reply
            left = until - time.monotonic()
            assert left > 0, f"no {kind.__name__}; there is {self.replies}"
            assert kind is Gone or not any(isinstance(reply, Gone) for reply in self.replies), self.complaints()
            writing = [self.hands] if self.hands.unsent else []
            select.select([self.hands], writing, [], left)
            self.replies += self.hands.receive()

    def leave(self) -> None:
        """What the supervisor sees when the runner dies: its end of the socket is closed."""
        self.hands._channel.close()
        self.hands._gone = True

    def wait_for_end(self) -> int:
        """Wait until the supervisor's process is over; its exit status."""
        _, status = os.waitpid(self.pid, 0)
        self.hands._reaped = True
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """kill -9 the supervisor, and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait_for_end()

    def text(self, stream: str = "stdout", number: int = 1) -> str:
        return read_stream(self.folder(number), stream, 1 << 20).decode()

    def log(self, number: int = 1) -> list[tuple[str, bytes]]:
        return [(record.stream, record.data) for record in read_log(self.folder(number))]

    def complaints(self) -> str:
        return "".join(path.read_text() for path in self.run_folder.glob("supervisor-*.err"))

    def close(self) -> None:
        if not self.hands._reaped:
            os.kill(self.pid, signal.SIGCONT)
        self.hands.close(PATIENCE if not self.hands._gone else 0)
        if not self.hands._reaped:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_for_end()
        assert self.complaints() == ""


@pytest.fixture
def make_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    """Make a rig; `first` is Python that the supervisor runs before anything else."""
    rigs: list[Rig] = []

    def make(first: str = "", opened: bool = True) -> Rig:
        run_folder = tmp_path / f"run-{len(rigs)}"
        run_folder.mkdir(0o700)
        with monkeypatch.context() as patch:
            patch.setattr(hands_module, "_PROGRAM", first + "\n" + hands_module._PROGRAM)
            rigs.append(Rig(run_folder))
        if opened:
            rigs[-1].wait(Opened)
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe with a name: opening one end waits for the other, so a test and a step can wait for each other."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def python() -> str:
    return sys.executable


@pytest.fixture
def wait() -> Callable[..., Any]:
    return wait_until


@pytest.fixture
def alive() -> Callable[[int], bool]:
    return lives
