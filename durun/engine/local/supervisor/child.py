"""One attempt that runs: its gate, its process, its log, and how it came to its end."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from durun.engine.local import folder as folders
from durun.engine.local.names import log_path
from durun.engine.local.procs import Origin, Process, look
from durun.engine.local.records import EndReason, ExitRecord, MainProcess
from durun.engine.local.secret_files import remove_secret_files, write_secret_files
from durun.engine.local.supervisor.held import HeldLog
from durun.engine.local.supervisor.ladder import Ladder
from durun.engine.local.supervisor.log import AttemptLog, Cleaner
from durun.engine.local.supervisor.outlet import Outlet
from durun.engine.local.supervisor.spares import Spares
from durun.engine.local.supervisor.spawn import NotStarted, Spawned, spawn
from durun.engine.local.supervisor.taking import Taking
from durun.engine.local.wire import StartOrder

DRAIN = 1.0
"""How long to read on after the end of the main process, seconds: a daemon that it left may hold the pipes."""

_CHUNK = 1 << 16
_PIPE_MAX = 1 << 20


class Child:
    """An attempt whose gate is ours. `pipes` are our ends of stdout and stderr, `stdin` ours of the input.

    Times without `at` in their name are monotonic.
    """

    def __init__(
        self,
        order: StartOrder,
        folder: Path,
        gate: int,
        spares: Spares,
        cleaner: Callable[[], Cleaner] | None = None,
    ) -> None:
        self.order = order
        self.folder = folder
        self.gate = gate
        self.log = _log_of(order, folder, cleaner)
        self.outlet: Outlet | None = None
        collect = order.collect
        self.evidence = Taking(order, collect, folder, spares, cleaner) if collect is not None else None
        self.pid = 0
        self.pipes: dict[int, str] = {}
        self.stdin: int | None = None
        self.reason: EndReason = "exit"
        self.ladder: Ladder | None = None
        self.deadline: float | None = None
        self.drain_until: float | None = None
        self._input = memoryview((order.stdin or "").encode("utf-8", "surrogateescape"))
        self._origin = Origin(order.nonce, os.getsid(0), None, None)
        self._status: int | None = None
        self._over = False
        self._started_at = time.time()
        self._ended_at = 0.0
        self._error = ""

    def start(self) -> bool:
        """Start the process; False if that can't be: then the attempt is over already."""
        try:
            spawned = self._spawn(self._prepare())
        except NotStarted as error:
            self.reason, self._error = "not_started", str(error)
            self._over = True
            return False
        self.pid = spawned.pid
        process = _look(spawned.pid)
        main = MainProcess(spawned.pid, process.started if process else 0)
        self._origin = self._origin._replace(main=(main.pid, main.started), group=main.pid)
        self.pipes = {pipe: name for pipe, name in zip(spawned[2:], ("stdout", "stderr"), strict=True) if pipe >= 0}
        self.stdin = spawned.stdin
        if self.order.timeout is not None:
            self.deadline = time.monotonic() + self.order.timeout
        with contextlib.suppress(OSError):
            # It runs now, whatever the disk says; it can still be found by its nonce.
            folders.write_process(self.gate, main)
        return True

    def _spawn(self, more: dict[str, str]) -> Spawned:
        """Start the command; where there are only files to be taken, that is the process. Raises NotStarted."""
        if self.evidence is None or not self.order.collect or not self.order.collect.globs:
            return spawn(self.order, self.folder, more, self.outlet.held if self.outlet is not None else None)
        try:
            return Spawned(self.evidence.gather(), None, -1, -1)
        except OSError as error:
            raise NotStarted(f"the files can't be taken: {error.strerror}") from error

    def _prepare(self) -> dict[str, str]:
        """Make the folder for evidence, the pipe for its output and its secret files; the variables that name these.

        Raises NotStarted.
        """
        discretion = self.order.discretion
        try:
            more = self.evidence.prepare() if self.evidence is not None else {}
            if discretion is not None and discretion.seal_key:
                self.outlet = Outlet(folders.output_path(self.folder))
            if discretion is not None and discretion.files:
                more |= write_secret_files(self.order.nonce, discretion.files)
            return more
        except OSError as error:
            raise NotStarted(f"{error.filename or 'its secret files'}: {error.strerror}") from error

    def tidy(self) -> None:
        """Take away what it was given that must not outlive it."""
        discretion = self.order.discretion
        if discretion is not None and discretion.files:
            remove_secret_files(self.order.nonce)
        if self.outlet is not None:
            with contextlib.suppress(OSError):
                self.outlet.close()

    @property
    def wake_at(self) -> float | None:
        """When something is due that no descriptor tells."""
        return self.deadline if self.drain_until is None else self.drain_until

    @property
    def ended(self) -> bool:
        """Whether the exit record can be written: the process is over, and nothing more is to be read."""
        return self._over and not self.pipes

    def on_exit(self, status: int) -> None:
        """The main process has ended; `status` is its exit code, or minus a signal."""
        self._status = status
        self._ended_at = time.time()
        self.deadline = None
        if self.ladder is None:
            self._end()

    def stop(self, reason: EndReason) -> bool:
        """Begin to stop it; False if it has ended, or is being stopped already."""
        self.deadline = None
        if self._status is not None or self.ladder is not None or self._over:
            return False
        self.reason = reason
        self.ladder = Ladder(self._origin, self.order.stop_grace)
        return True

    @property
    def stopping(self) -> bool:
        """Whether its ladder is to be climbed."""
        return self.ladder is not None and not self._over

    def stopped(self) -> None:
        """Nothing more of it is left, or nothing that could be stopped."""
        leftover = self.ladder.leftover if self.ladder is not None else ()
        if self._status is not None or self.pid in leftover:
            self._end()

    def _end(self) -> None:
        self._over = True
        self.drain_until = time.monotonic() + DRAIN

    def read(self, pipe: int) -> bool:
        """Read a chunk; False at the end of the pipe."""
        try:
            chunk = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return True
        if chunk and self.evidence is not None and self.evidence.takes_stdout and self.pipes[pipe] == "stdout":
            self.evidence.write(chunk)
        elif chunk:
            self.log.write(self.pipes[pipe], chunk)
        return bool(chunk)

    def read_rest(self, pipe: int) -> None:
        """Read what the pipe holds now: what came before the end must not be lost because we were busy."""
        for _ in range(_PIPE_MAX // _CHUNK):
            if not self.read(pipe):
                return

    def feed(self) -> bool:
        """Write some of the input; False once there is no more, or nobody who reads it."""
        try:
            if self.stdin is not None and self._input:
                self._input = self._input[os.write(self.stdin, self._input[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return bool(self._input)

    def record(self) -> ExitRecord:
        """How it ended; flushes the log."""
        code = self._status if self._status is not None and self._status >= 0 else None
        number = -self._status if self._status is not None and self._status < 0 else None
        return ExitRecord(
            self.order.nonce,
            self.reason,
            code,
            number,
            self._started_at,
            self._ended_at or time.time(),
            self._error,
            self.log.finish(),
            leftover=self.ladder.leftover if self.ladder is not None else (),
            evidence=self.evidence.digest if self.evidence is not None else "",
            lost=self.evidence.lost if self.evidence is not None else "",
        )

    def capture(self) -> bool:
        """It is over: take its evidence. False if a capture has begun, which is to be waited for."""
        if self.evidence is None or not self.pid or self.evidence.finish(self._status or 0):
            return True
        self.drain_until = None
        return False


def _log_of(order: StartOrder, folder: Path, cleaner: Callable[[], Cleaner] | None) -> AttemptLog | HeldLog:
    discretion = order.discretion
    key = bytes.fromhex(discretion.digest_key) if discretion is not None else b""
    if discretion is not None and discretion.held:
        return HeldLog(key, take_stdout=discretion.stdout, keep_stderr=not order.redact)
    return AttemptLog(log_path(folder), order.output_cap, not order.redact, cleaner, key)


def _look(pid: int) -> Process | None:
    """What the system says of a process of ours; None if it can't say now: it is known by its nonce as well."""
    try:
        return look(pid)
    except OSError:
        return None
