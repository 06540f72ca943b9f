"""Writing that never blocks the loop: a thread of its own writes to the terminal or the pipe.

A terminal stopped with Ctrl-S or a reader that never reads must not keep a run from going on; a reader that has gone
away (`| head -1`) must not end it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from durun.views.backlog import Backlog, BoundedBacklog
from durun.views.frame import Frame


class Channel:
    """Text to a file descriptor, written by a thread that is started with the first text.

    `frame` is a block of lines that stays below everything else and is painted over by the next one; only the
    newest frame is ever written, so a slow terminal sees fewer of them, and none while the terminal is another job's.
    No method blocks but `close`. `scrub` takes out of every text what must not be seen.
    """

    def __init__(
        self,
        descriptor: int,
        encoding: str = "utf-8",
        backlog: Backlog | None = None,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self._descriptor = descriptor
        self._scrub = scrub
        self._encoding = encoding
        self._backlog = backlog or BoundedBacklog()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._frame = Frame(descriptor)
        self._progress = 0
        self._idle = True
        self._closing = False
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether the reader has gone away."""
        return self._broken

    def write(self, text: str) -> None:
        """Queue whole lines."""
        with self._changed:
            if self._broken:
                return
            self._backlog.push(self._scrub(text).encode(self._encoding, "backslashreplace"))
            self._wake()

    def frame(self, lines: list[str]) -> None:
        """Show these lines in place of the last frame; an empty list takes it away."""
        with self._changed:
            if not self._broken:
                self._frame.next = [self._scrub(line) for line in lines]
                self._wake()

    def forget(self) -> None:
        """Somebody else has written to the terminal: the next frame goes below that."""
        with self._changed:
            self._frame.shown = []

    def close(self, patience: float = 3.0) -> None:
        """Wait until all is written, but not longer than `patience` seconds without any progress."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while not self._idle and not self._broken:
                before = self._progress
                over = self._changed.wait_for(lambda: self._idle or self._broken, patience)
                if not over and before == self._progress:
                    return

    def _wake(self) -> None:
        self._idle = False
        if self._thread is None:
            self._start()
        self._changed.notify_all()

    def _start(self) -> None:
        """Start the thread with every signal blocked, so that signals stay the main thread's."""
        self._thread = threading.Thread(target=self._run, name="durun-output", daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self) -> None:
        while True:
            with self._changed:
                data = self._next()
                while not data:
                    self._idle = True
                    self._changed.notify_all()
                    if self._closing:
                        return
                    self._changed.wait()
                    data = self._next()
            if not self._put(data):
                return

    def _next(self) -> bytes:
        """What is to be written now: the text, and the frame below it."""
        return self._frame.around(self._backlog.pull(), self._encoding)

    def _put(self, data: bytes) -> bool:
        """Write all of `data`; False when the reader has gone away."""
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._descriptor, view[:4096])
            except BlockingIOError:
                self._wait_until_writable()
                continue
            except OSError:
                with self._changed:
                    self._broken = True
                    self._changed.notify_all()
                return False
            view = view[written:]
            with self._changed:
                self._progress += written
                self._changed.notify_all()
        return True

    def _wait_until_writable(self) -> None:
        """Wait for a descriptor that somebody else has made non-blocking."""
        import select

        select.select([], [self._descriptor], [])
