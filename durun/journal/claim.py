"""Who may write, and who drives a run: locks that a dead process can't hold.

`flock` is released by the kernel when its holder is gone, however it went, so no lock ever has to be broken by
hand. What stands in a lock file only names the holder; it locks nothing.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from durun.errors import Busy, StorageFailed, Unsafe, typed
from durun.model.clock import Clock, SystemClock, to_iso
from durun.model.values import Json

PATIENCE = 10.0
"""Seconds for which the write mutex is tried."""

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_GLANCES, _GLANCE = 10, 0.02
_CARD = 256
"""Bytes of a card that names a holder. It is written over the last one: to cut the file first may wait for the disk."""


class WriteMutex:
    """At most one process at a time writes the journal: `with mutex:` around a write transaction.

    While it is held, INT, TERM, HUP and TSTP wait: no handler runs in the middle of a commit, nor stops one. Entering
    raises StorageFailed, naming the holder, after `patience` seconds. One thread; not reentrant.
    """

    def __init__(self, path: Path, clock: Clock | None = None, patience: float = PATIENCE) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._patience = patience
        self._card = _card(self._clock)
        self._pid = os.getpid()
        self._mask: set[signal.Signals | int] = set()
        self._fd = _open(path)

    def __enter__(self) -> None:
        deadline: float | None = None
        delay = 0.001
        while not self._try():
            now = self._clock.monotonic()
            if deadline is None:
                deadline = now + self._patience
            elif now >= deadline:
                raise self._refusal()
            select.select([], [], [], delay)
            delay = min(delay * 2, 0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def close(self) -> None:
        """Let go of the lock file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _try(self) -> bool:
        try:
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        except BaseException:  # a handler ran for a signal that came just before
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            raise
        try:
            held = self._lock()
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        if held:
            self._mask = mask
        else:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return held

    def _lock(self) -> bool:
        if not _take(self._fd, fcntl.LOCK_EX):
            return False
        if os.fstat(self._fd).st_nlink == 0:  # somebody tidied the file away: others lock another one
            os.close(self._fd)
            self._fd = _open(self._path)
            return False
        if os.getpid() != self._pid:
            self._pid, self._card = os.getpid(), _card(self._clock)
        if os.pread(self._fd, 4096, 0) != self._card:
            _write_card(self._fd, self._card)
        return True

    def _refusal(self) -> StorageFailed:
        held = _read_card(self._fd)
        return StorageFailed(
            f"the journal is held for writing by {who(held)}, for more than {self._patience:.0f} s",
            "look at what that process does (a stopped one holds it too), then try again",
        )


class RunLock:
    """Only one process drives a run. `path` is the lock file in the run's folder."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock, at once or not at all, for as long as this process lives or until `release`.

        Raises Busy, naming the holder's pid, host and since when. Somebody else's glance (`holder`) holds it for
        microseconds: so a refusal is made sure of for a fifth of a second.
        """
        fd = _open(self._path)
        try:
            for _ in range(_GLANCES):
                if _take(fd, fcntl.LOCK_EX):
                    _write_card(fd, _card(self._clock))
                    self._fd = fd
                    return
                select.select([], [], [], _GLANCE)
            held = _read_card(fd)
        finally:
            if self._fd != fd:
                os.close(fd)
        run = self._path.parent.name
        since = f", since {held['since']}" if "since" in held else ""
        raise Busy(
            f"another process drives run {run}: {who(held)}{since}",
            f"wait for it, watch it (durun logs {run} -f), or stop it (durun cancel {run} --reason …)",
        )

    def release(self) -> None:
        """Let go, if it is held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def holder(self) -> dict[str, Json] | None:
        """Who holds the lock now: `{"pid", "host", "since"}` (ISO 8601), as far as known; None if nobody does.

        A dead owner holds nothing. A lock that can't be looked at (another user's) counts as not held.
        """
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            return None if _take(fd, fcntl.LOCK_SH) else _read_card(fd)
        finally:
            os.close(fd)


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS, 0o600)
    except PermissionError as error:
        raise Unsafe(f"can't write {path}: {error.strerror}", f"chmod u+rw {typed(path)}") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unsafe(f"{path} is a symbolic link", f"remove it: rm {typed(path)}") from error
        raise StorageFailed(f"can't open {path}: {error.strerror}", "see to the disk, then try again") from error


def _take(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageFailed(f"can't lock: {error.strerror}", "durun needs a disk with working locks") from error
    return True


def _card(clock: Clock) -> bytes:
    card = {"pid": os.getpid(), "host": os.uname().nodename, "since": to_iso(clock.now())}
    return json.dumps(card).encode().ljust(_CARD)


def _write_card(fd: int, card: bytes) -> None:
    """Name the holder. A full disk must not stop who holds the lock: then nobody is named."""
    with suppress(OSError):
        if os.fstat(fd).st_size <= len(card) and os.pwrite(fd, card, 0) == len(card):
            return
    with suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, card, 0)


def _read_card(fd: int) -> dict[str, Json]:
    try:
        card = json.loads(os.pread(fd, 4096, 0))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def who(card: dict[str, Json]) -> str:
    """The holder of a lock, in words."""
    if "pid" not in card:
        return "a process that can't be named"
    return f"process {card['pid']} on {card.get('host', 'an unknown host')}"
