"""durun on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import termios

from crash.harness import Bench, wait_for_end, wait_until

TWO = """
steps:
  - id: one
    run: |
      eval "$MARK"
      read -r _ < {fifo} || true
  - id: two
    run: eval "$MARK"
"""


class Terminal:
    """durun on a terminal of its own, in the foreground, as from a shell."""

    def __init__(self, bench: Bench, *argv: str, size: tuple[int, int] = (80, 24), **env: str) -> None:
        self.master, slave = os.openpty()
        self.resize(*size)
        self.process = bench.start(
            *argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            text=None,
            prefix=["setsid", "--ctty"],
            env={"TERM": "xterm", **env},
        )
        os.close(slave)
        self.said = ""

    def resize(self, columns: int, rows: int) -> None:
        """Make it so large; the kernel tells the process in the foreground."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read_until(self, text: str) -> None:
        """Read what is shown until this text is among it."""
        self.read_for(re.escape(text))

    def read_for(self, pattern: str) -> re.Match[str]:
        """Read what is shown until this pattern is among it."""

        def found() -> re.Match[str] | None:
            if there := re.search(pattern, self.said, re.DOTALL):
                return there
            if select.select([self.master], [], [], 0.05)[0]:
                self.said += os.read(self.master, 4096).decode(errors="replace")
            return None

        match: re.Match[str] = wait_until(found)
        return match

    def end(self) -> int:
        """Wait for the end, and read all that was shown; the exit code."""
        while not wait_for_end(self.process.pid, 0.05):
            self.take()
        self.take()
        return self.process.wait()

    def take(self) -> None:
        """Read all that is shown by now."""
        with contextlib.suppress(OSError):  # the other side is closed
            while select.select([self.master], [], [], 0)[0]:
                self.said += os.read(self.master, 4096).decode(errors="replace")

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
