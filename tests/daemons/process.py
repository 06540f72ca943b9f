"""What every daemon of the tests needs: a place that its user can reach, a port, a process that ends with us."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE = 30.0


@contextlib.contextmanager
def place(prefix: str) -> Iterator[Path]:
    """A folder that other users can walk through, which pytest's own are not; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"durun-{prefix}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_reserved: list[socket.socket] = []


def reserve_port() -> int:
    """A port of loopback that is kept until we end: whoever knows it may listen there, nobody gets it by chance.

    Nobody listens there before, nor between two daemons. SO_REUSEADDR on both sides makes that so, and daemons set it.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    _reserved.append(keeper)
    return int(keeper.getsockname()[1])


def start(argv: list[str], log: Path, *, user: str | None = None, stop: str = "TERM") -> subprocess.Popen[bytes]:
    """A daemon in the foreground, under a user if we are root, that gets the signal `stop` when we die."""
    other = ["--reuid", user, "--regid", user, "--init-groups"] if user is not None and os.getuid() == 0 else []
    with log.open("ab") as said:
        return subprocess.Popen(
            ["setpriv", *other, "--pdeathsig", stop, *argv], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait until a daemon is ready: False if it ended before."""
    until = time.monotonic() + PATIENCE
    ended = os.pidfd_open(process.pid)
    try:
        while not condition():
            if select.select([ended], [], [], 0.02)[0]:
                return False
            assert time.monotonic() < until, f"{process.args!r} is not ready after {PATIENCE} s"
        return True
    finally:
        os.close(ended)
