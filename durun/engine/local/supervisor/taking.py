"""The evidence of one attempt: the folder that the step gets, its stdout where that is evidence, and the capture at its
end.

The capture (`capture`) hashes gigabytes: it is a process of its own, forked, so that it has what is to be redacted
without being told, and the loop goes on with timers and pipes. It dies with the supervisor: then the attempt is in
doubt.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from durun.engine.local import folder as folders
from durun.engine.local.supervisor.log import Cleaner
from durun.engine.local.supervisor.spares import Spares
from durun.engine.local.wire import Collect, StartOrder

EVIDENCE = "DURUN_EVIDENCE"
"""The variable that tells a step where it can leave evidence."""

_PR_SET_PDEATHSIG = 1
_DESCRIPTORS = 1 << 16
"""How many are closed where there is no limit to go by."""
_BUG = 255
"""The exit code of a capture that ended by an error which is no refusal of the disk."""


class Stdout(NamedTuple):
    """A stdout that was taken whole: where it lies, and what is known of it."""

    path: str
    name: str
    source: str
    sha256: str
    size: int
    began: float
    redacted: bool


class Taking:
    """The evidence of one attempt. `cleaner` makes what takes secrets out of one stream.

    Known at its end: `digest`, the SHA-256 of the list of what was taken, or "" for nothing; `lost`, why something was
    not; `refused`, the same where the disk is why. `pid` is the capture's.
    """

    def __init__(
        self,
        order: StartOrder,
        collect: Collect,
        folder: Path,
        spares: Spares,
        cleaner: Callable[[], Cleaner] | None,
    ) -> None:
        self._order = order
        self._collect = collect
        self._folder = folder
        self._spares = spares
        self._cleaner = cleaner
        self._stdout = _Stdout(folders.stdout_path(folder), cleaner) if collect.name else None
        self._over = False
        self._capturing = False
        self.pid = 0
        self.digest = ""
        self.lost = ""
        self.refused = ""

    @property
    def takes_stdout(self) -> bool:
        """Whether the stdout is evidence, and no log."""
        return self._stdout is not None

    def prepare(self) -> dict[str, str]:
        """Put the folder there; the variable that names it. Raises OSError."""
        if self._collect.globs:
            return {}
        place = folders.evidence_path(self._folder)
        self._spares.lend(place)
        return {EVIDENCE: place}

    def write(self, chunk: bytes) -> None:
        """Take a chunk of stdout. Never fails: what can't be kept is told at the end."""
        if self._stdout is not None:
            self._stdout.write(chunk)

    def gather(self) -> int:
        """Start the capture as the attempt's own process, for there is no other; its pid. Raises OSError."""
        return self._fork(None)

    def finish(self, status: int) -> bool:
        """The step is over, with this exit code or minus a signal. False as long as a capture runs."""
        if self._capturing:
            return False
        if not self._over:
            self._over = True
            return self._begin(status)
        return True

    def _begin(self, status: int) -> bool:
        try:
            if self._collect.globs:
                # One that was stopped is judged as what it is: the attempt's own process.
                if status >= 0:
                    self._read(status)
                return True
            taken = self._stdout.finish(self._collect) if self._stdout is not None else None
            if self._spares.take_back(folders.evidence_path(self._folder)) and taken is None:
                return True
            self.pid = self._fork(taken)
        except OSError as error:
            self._lose(error.strerror, refused=True)
            return True
        self._capturing = True
        return False

    def captured(self, status: int) -> None:
        """The capture has ended; `status` is its exit code (the number of an error), or minus a signal."""
        self._capturing = False
        self._read(status)

    def _read(self, status: int) -> None:
        """What the capture has to say: the digest of its list, or why there is none."""
        with contextlib.suppress(OSError):
            self.digest = hashlib.sha256(Path(folders.manifest_path(self._folder)).read_bytes()).hexdigest()
        if not self.digest:
            refused = 0 < status < _BUG
            self._lose(os.strerror(status) if refused else f"the capture ended with {status}", refused=refused)
        elif status and self._cleaner is not None:
            # All is taken: the capture was killed while it cleared up.
            with contextlib.suppress(OSError):
                folders.remove_all(folders.evidence_path(self._folder))

    def _lose(self, why: str | None, *, refused: bool) -> None:
        """There is no evidence; `refused`: the disk is why. Nothing stays in clear in which there may be secrets."""
        self.lost = f"its evidence could not be kept: {why}"
        if self._cleaner is not None:
            folders.discard_evidence(self._folder)
        self.refused = self.lost if refused else ""

    def _fork(self, taken: Stdout | None) -> int:
        from durun.engine.local.supervisor.capture import Capture

        order, collect = self._order, self._collect
        command = order.argv or ["collect", *collect.globs]
        capture = Capture(self._folder, command, list(collect.globs), order.cwd, taken, self._cleaner)
        return _fork(capture.run)


def _fork(work: Callable[[], int]) -> int:
    """A process that does this and nothing else, in a group of its own; its pid. Raises OSError."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    code = _BUG
    try:  # Nothing of this process may go on in the supervisor's loop.
        _be_alone(parent)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _be_alone(parent: int) -> None:
    """Let go of all that is the supervisor's: its lock and its sockets above all; and do not outlive it."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    limit = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, limit if limit > 0 else _DESCRIPTORS)
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class _Stdout:
    """A stdout as it comes: redacted, hashed, and written to a file beside the log."""

    def __init__(self, path: str, cleaner: Callable[[], Cleaner] | None) -> None:
        self._path = path
        self._cleaner = cleaner() if cleaner is not None else None
        self._digest = hashlib.sha256()
        self._raw = 0
        self._size = 0
        self._file: int | None = None
        self._began = 0.0
        self._error: OSError | None = None

    def write(self, chunk: bytes) -> None:
        self._raw += len(chunk)
        self._take(chunk if self._cleaner is None else self._cleaner.feed(chunk))

    def _take(self, chunk: bytes) -> None:
        if self._error is not None:
            return
        try:
            descriptor = self._open()
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            self._error = error
            return
        self._size += len(chunk)
        self._digest.update(chunk)

    def _open(self) -> int:
        if self._file is None:
            self._began = time.time()
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return self._file

    def finish(self, collect: Collect) -> Stdout:
        """All of it has come; also of one that wrote nothing there is a file. Raises OSError."""
        self._take(b"" if self._cleaner is None else self._cleaner.finish())
        if self._file is not None:
            os.close(self._file)
        if self._error is not None:
            raise self._error
        redacted = self._raw != self._size
        hexdigest = self._digest.hexdigest()
        return Stdout(self._path, collect.name, collect.source, hexdigest, self._size, self._began, redacted)
