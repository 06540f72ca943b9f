"""A real supervisor and a place to try it in; and runs of which only the events are told."""

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
from durun.engine.local.folder import make_attempts, read_gate
from durun.engine.local.hands import Hands
from durun.engine.local.logs import read_log, read_stream
from durun.engine.local.names import attempt_folder
from durun.engine.local.records import MainProcess
from durun.engine.local.wire import Ended, Gone, Opened, StartOrder, StopOrder
from durun.journal.memory import MemoryJournal
from durun.journal.reading import read_state
from durun.language.load import load
from durun.language.plan import make_plan
from durun.model import event as ev
from durun.model.task import Target
from events import session, started

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

    def start(self, *argv: str, **more: Any) -> MainProcess:
        """Order a start and wait until it runs."""
        order = self.order(*argv, **more)
        self.hands.send([order])
        return self.wait_for_process(order.folder)

    def wait_for_process(self, number: int = 1) -> MainProcess:
        """Wait until the gate says which process was started."""

        def found() -> MainProcess | None:
            records = read_gate(self.folder(number))
            return records.process if records else None

        return wait_until(found)

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
        make_attempts(run_folder)
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


class Told:
    """A run in memory of which only its events are told: nothing is driven."""

    def __init__(self, text: str, inputs: dict[str, Any], place: str) -> None:
        self.runbook = load(text.encode(), "book.yaml").runbook
        self.plan = make_plan(self.runbook, inputs, {"REGION": "north"}, "r1")
        self.journal = MemoryJournal()
        self.clock = Stopped()
        created = ev.RunCreated(
            runbook=self.runbook.name,
            digest=self.runbook.digest,
            text=self.runbook.text,
            file="book.yaml",
            place=place,
            inputs=inputs,
            inputs_digest="i",
            tasks=self.plan.task_count(self.plan.roots),
            by={"uid": 1000},
            version="1",
            surroundings={"env": {"REGION": "north"}, "path": "/bin:/usr/bin"},
        )
        self.journal.append("r1", 0, [created], self.clock.time)
        self.state = read_state(self.journal, "r1")
        self.tell(session())

    def tell(self, *events: ev.Event) -> None:
        """These events happened."""
        self.journal.append("r1", self.journal.head("r1"), events, self.clock.time)
        self.state.replace_with(read_state(self.journal, "r1"))

    def done(self, step: str, target: str | None = None, round_: int = 0, **outputs: Any) -> None:
        """A task succeeded."""
        self.begun(step, target, round_)
        self.tell(ev.TaskSucceeded(step=step, target=target, round=round_, how="ran", outputs=outputs))

    def failed(self, step: str, target: str | None = None) -> None:
        """A task failed."""
        self.begun(step, target)
        self.tell(ev.TaskFailed(step=step, target=target, code="exit", reason="exit code 1"))

    def doubtful(self, step: str, target: str | None = None, **more: Any) -> None:
        """A task is in doubt."""
        self.begun(step, target)
        self.tell(ev.TaskInDoubt(step=step, target=target, reason="lost", **more))

    def begun(self, step: str, target: str | None = None, round_: int = 0) -> None:
        """An attempt of a task runs."""
        self.tell(started(step, target, folder=self.state.record.folders + 1, round=round_, request="request"))

    def targets(self, step: str, *keys: str, **values: Any) -> None:
        """The targets of a fan-out: keys that are their own values, and others."""
        found = [Target(key, key) for key in keys] + [Target(key, value) for key, value in values.items()]
        leaves = len(self.plan.leaves(step))
        self.tell(ev.TargetsResolved(step=step, targets=found, tasks=len(found) * leaves))


class Stopped:
    """A clock that goes when it is told to.

    `passed` are seconds that only go forward; `known`: the time at least, by another clock.
    """

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.passed = 0.0
        self.known = 0.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.passed

    def least(self, run_id: str) -> float:
        return self.known

    def saw(self, run_id: str, now: float) -> None:
        pass


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Told]:
    """Make a run of these lines (after `durun` and `name`); keywords are inputs."""
    return lambda text, **inputs: Told(f"durun: 1\nname: book\n{text}", inputs, str(tmp_path))
