"""What the operator, the terminal or the system asks of the runner by signals.

The first Ctrl-C: start nothing more and wait for what runs. The second, SIGTERM and SIGHUP: leave, what runs
goes on. As pid 1 (a container's only process) SIGTERM waits like the first Ctrl-C, for nothing outlives pid 1.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Any, Literal

Wish = Literal["go_on", "drain", "leave"]


class Signals:
    """Catches the signals while it is entered; elsewhere than in the main thread it catches none."""

    def __init__(self) -> None:
        self.wish: Wish = "go_on"
        self.exit_code = 130
        self.reason = ""
        self._wake, self._waker = socket.socketpair()
        self._before: dict[int, Any] = {}
        self._catching = False
        self._fd_before = -1

    def fileno(self) -> int:
        """Readable when a signal came."""
        return self._wake.fileno()

    def drain(self, reason: str) -> None:
        """Start nothing more from now on, as after the first Ctrl-C; any signal then means: leave."""
        self.wish, self.reason = "drain", reason

    def clear(self) -> None:
        """Empty what `fileno` signalled."""
        try:
            while self._wake.recv(64):
                pass
        except BlockingIOError:
            return

    def __enter__(self) -> Signals:
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._catching = threading.current_thread() is threading.main_thread()
        if self._catching:
            self._fd_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # A HUP or INT that was ignored from outside (nohup, a background job) stays ignored.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._catching:
            signal.set_wakeup_fd(self._fd_before)
        self._wake.close()
        self._waker.close()

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        first = self.wish == "go_on"
        waits = number == signal.SIGINT or os.getpid() == 1
        self.exit_code = 130 if number == signal.SIGINT else 143
        self.reason = f"stopped by {name}"
        self.wish = "drain" if first and waits else "leave"
