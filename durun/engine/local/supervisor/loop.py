"""The supervisor's loop: orders in, replies out, and between them processes, pipes and timers. One thread."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from durun.engine.local import folder as folders
from durun.engine.local import wire
from durun.engine.local.names import attempt_folder
from durun.engine.local.procs import Table, look_around
from durun.engine.local.records import EndReason, ExitRecord
from durun.engine.local.supervisor.child import Child
from durun.engine.local.supervisor.ending import Ending
from durun.engine.local.supervisor.ladder import TICK
from durun.engine.local.supervisor.log import Cleaner
from durun.engine.local.supervisor.opening import CannotOpen, Opening, open_run

if TYPE_CHECKING:
    from durun.secrets.redact import Redactor

_STOP_POLL = 0.5
_LONGEST_WAIT = 3600.0
_RECENT = 256
_RESERVE = 4
"""Descriptors that are kept for looking around, should all others be in use."""


class Supervisor:
    """Runs the attempts that its runner orders; without a runner, finishes what runs."""

    def __init__(self, end: socket.socket) -> None:
        self._channel = wire.Channel(end)
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._opening: Opening | None = None
        self._ending: Ending | None = None
        self._reserve: list[int] = []
        self._keep_reserve()
        self._lost = False
        self._closing = False
        self._redactor: Redactor | None = None
        self._tick = 0.0
        # Ended, but perhaps not yet committed by the runner.
        self._recent: deque[tuple[int, ExitRecord]] = deque(maxlen=_RECENT)

    def run(self) -> None:
        """Work until there is nothing left to do."""
        self._watch_signals()
        self._selector.register(self._channel, selectors.EVENT_READ, self._on_orders)
        while not self._done():
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._on_time()
            if not self._lost:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.unsent else 0)
                self._selector.modify(self._channel, wanted, self._on_orders)
        if self._opening is not None:
            self._opening.spares.remove()

    def _done(self) -> bool:
        return (self._lost or (self._closing and not self._channel.unsent)) and not self._children

    def _patience(self) -> float:
        """Seconds until something is due that no descriptor tells."""
        due = [at for child in self._children.values() if (at := child.wake_at) is not None]
        if any(child.stopping for child in self._children.values()):
            due.append(self._tick)
        # The kernel's own limit for a wait is some weeks, and a timeout may be longer.
        due.append(time.monotonic() + (_STOP_POLL if self._lost else _LONGEST_WAIT))
        return max(0.0, min(due) - time.monotonic())

    # Signals and ends

    def _watch_signals(self) -> None:
        """Be woken when a child ends. HUP, INT and TERM wake us too, and do nothing.

        They have a handler rather than being ignored, for a step would inherit that they are ignored.
        """
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._on_signal(reading))

    def _on_signal(self, pipe: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(pipe, 4096)
        self._reap()

    def _reap(self) -> None:
        """Wait for every process that has ended: ours, and orphans of theirs, which become ours (subreaper)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._by_pid.pop(pid, None)
            if child is None:
                continue
            if pid == child.pid:
                child.on_exit(os.waitstatus_to_exitcode(status))
                self._tick = 0.0
            elif child.evidence is not None:
                child.evidence.captured(os.waitstatus_to_exitcode(status))
            self._finish_if_ended(child)

    # Orders

    def _on_orders(self) -> None:
        for order in self._channel.receive():
            self._obey(order)
        self._channel.flush()
        if self._channel.ended:
            self._lose_runner()

    def _obey(self, order: wire.Order) -> None:
        match order:
            case wire.OpenOrder():
                self._open(order)
            case wire.RedactOrder(values):
                self._redacting().add(values)
            case wire.StartOrder():
                # What a runner ordered and did not live to see started, the next one decides anew.
                if not self._channel.hung_up() and self._opening is not None:
                    self._start(order, self._opening)
            case wire.StopOrder():
                child = self._children.get(order.folder)
                if child is not None:
                    self._stop(child, order.reason)
            case wire.ShutdownOrder():
                self._closing = True
                self._recent.clear()

    def _open(self, order: wire.OpenOrder) -> None:
        try:
            self._opening = open_run(Path(order.run_folder), order.session)
        except CannotOpen as error:
            self._channel.send([wire.NotOpened(str(error))])
            self._closing = True
            return
        self._ending = Ending(self._opening.run_folder, self._opening.ahead)
        self._channel.send([wire.Opened(os.getpid(), self._opening.scope)])

    def _start(self, order: wire.StartOrder, opening: Opening) -> None:
        folder = attempt_folder(opening.run_folder, order.folder)
        try:
            opening.ahead.make(order.folder)
            gate = folders.make_gate(folder, opening.gate(order.nonce))
        except OSError as error:
            self._channel.send([wire.Refused(order.folder, "storage", f"{folder}: {error.strerror}")])
            return
        if gate is None:
            self._channel.send([wire.Refused(order.folder, "fenced", "a gate is there already")])
            return
        child = Child(order, folder, gate, opening.spares, self._cleaner(order.discretion))
        self._children[order.folder] = child
        if child.start():
            self._watch(child)
        self._finish_if_ended(child)

    def _cleaner(self, discretion: wire.Discretion | None) -> Callable[[], Cleaner] | None:
        """What takes secrets out of what is written from now on; nothing is loaded as long as there are none."""
        return None if discretion is None else self._redacting().stream

    def _redacting(self) -> Redactor:
        if self._redactor is None:
            from durun.secrets.cores import forbid_core_dumps
            from durun.secrets.redact import Redactor

            forbid_core_dumps()
            self._redactor = Redactor()
        return self._redactor

    def _watch(self, child: Child) -> None:
        self._by_pid[child.pid] = child
        for pipe in child.pipes:
            self._selector.register(pipe, selectors.EVENT_READ, self._reader(child, pipe))
        if child.outlet is not None:
            self._selector.register(child.outlet.reading, selectors.EVENT_READ, lambda: self._on_output(child))
        if child.stdin is not None:
            self._selector.register(child.stdin, selectors.EVENT_WRITE, lambda: self._on_writable(child))

    def _lose_runner(self) -> None:
        """The runner is gone: what it may not have committed is made durable, what runs is finished."""
        self._lost = True
        self._selector.unregister(self._channel)
        self._channel.close()
        for number, record in self._recent:
            self._secure(number, record)
        self._recent.clear()

    def _secure(self, number: int, record: ExitRecord) -> None:
        if self._ending is not None:
            # A disk that refuses leaves the record unmarked, and that is all that there is to tell.
            with contextlib.suppress(OSError):
                self._ending.make_durable(number, record)

    # Pipes

    def _reader(self, child: Child, pipe: int) -> Callable[[], None]:
        def on_readable() -> None:
            if pipe in child.pipes and not child.read(pipe):
                self._close_pipe(child, pipe)
                self._finish_if_ended(child)

        return on_readable

    def _on_output(self, child: Child) -> None:
        if child.outlet is not None and self._children.get(child.order.folder) is child:
            child.outlet.take()

    def _close_pipe(self, child: Child, pipe: int) -> None:
        self._selector.unregister(pipe)
        os.close(pipe)
        del child.pipes[pipe]

    def _on_writable(self, child: Child) -> None:
        if child.stdin is not None and not child.feed():
            self._close_stdin(child)

    def _close_stdin(self, child: Child) -> None:
        if child.stdin is not None:
            self._selector.unregister(child.stdin)
            os.close(child.stdin)
            child.stdin = None

    # Time

    def _on_time(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.drain_until is not None and now >= child.drain_until:
                for pipe in list(child.pipes):
                    child.read_rest(pipe)
                    self._close_pipe(child, pipe)
                self._finish_if_ended(child)
            elif child.deadline is not None and now >= child.deadline:
                # It may have ended just now, in time.
                self._reap()
                self._stop(child, "timeout")
        if self._lost and self._opening is not None and self._opening.stop_asked():
            for child in self._children.values():
                self._stop(child, "cancel")
        self._climb(now)

    def _stop(self, child: Child, reason: EndReason) -> None:
        if child.stop(reason):
            self._tick = 0.0

    def _climb(self, now: float) -> None:
        """One look at the machine serves all attempts that are being stopped."""
        stopping = [child for child in self._children.values() if child.stopping]
        if not stopping or now < self._tick:
            return
        self._tick = time.monotonic() + TICK
        table = self._look_around()
        if table is None:
            return
        for child in stopping:
            if child.ladder is not None and child.ladder.climb(table, now):
                child.stopped()
                self._finish_if_ended(child)
        self._tick = time.monotonic() + TICK

    def _look_around(self) -> Table | None:
        """All processes; None if that can't be told now. Stopping steps must not fail for want of descriptors."""
        for descriptor in self._reserve:
            os.close(descriptor)
        self._reserve.clear()
        try:
            return look_around()
        except OSError:
            return None
        finally:
            self._keep_reserve()

    def _keep_reserve(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    # The end of an attempt

    def _finish_if_ended(self, child: Child) -> None:
        number = child.order.folder
        if not child.ended or self._children.get(number) is not child or self._ending is None:
            return
        if not child.capture():
            assert child.evidence is not None
            self._by_pid[child.evidence.pid] = child
            return
        self._close_stdin(child)
        if child.outlet is not None and child.pid:
            self._selector.unregister(child.outlet.reading)
        child.tidy()
        record = child.record()
        # Without what it gave there is no record of its end: then nobody takes it for done, or for failed.
        unkept = self._ending.seal(child) or (child.evidence.refused if child.evidence is not None else "")
        problem = unkept or self._ending.write_record(child, record)
        child.log.close()
        os.close(child.gate)
        del self._children[number]
        if not unkept:
            self._keep(number, record)
        if not self._lost:
            self._channel.send([wire.Ended(number, record, problem)])

    def _keep(self, number: int, record: ExitRecord) -> None:
        """See to it that the record outlives the machine, now or when the runner is lost."""
        if self._lost:
            self._secure(number, record)
        else:
            self._recent.append((number, record))
