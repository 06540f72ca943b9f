"""The capture: a process that takes files as evidence, in one read each, in constant memory.

What is taken is in the run's `evidence/`, under its SHA-256, and can't be written any more; `evidence.json` in the
attempt's folder says what it is. All of it is durable when the process ends well. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from durun.durable import write_durably
from durun.engine.local import folder as folders
from durun.engine.local.supervisor.log import Cleaner

if TYPE_CHECKING:
    from durun.engine.local.supervisor.taking import Stdout

MOST_ITEMS = 10_000
"""Pieces of evidence that one attempt may have: their list is one event of the journal."""
MOST_PROBLEMS = 20
"""Problems that are told one by one."""

_CHUNK = 1 << 20


class Piece(NamedTuple):
    """A file that is to be taken: the name of the evidence, its path, and how it is called."""

    name: str
    path: str
    source: str


class Capture:
    """The capture of one attempt. `globs` are relative to `cwd`; `taken` is its stdout, where that is evidence."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        globs: list[str],
        cwd: str,
        taken: Stdout | None,
        cleaner: Callable[[], Cleaner] | None,
    ) -> None:
        self._folder = folder
        self._store = folders.store_path(folder.parent.parent)
        self._command = command
        self._globs = globs
        self._cwd = cwd
        self._taken = taken
        self._cleaner = cleaner
        self._items: dict[str, dict[str, Any]] = {}
        self._problems: list[str] = []

    def run(self) -> int:
        """Take everything, then say so; 0, or the number of the error by which the disk refused."""
        try:
            self._make_store()
            if self._taken is not None:
                self._keep_stdout(self._taken)
            for piece in self._pieces():
                self._take(piece)
            self._write_manifest()
        except OSError as error:
            return error.errno or errno.EIO
        self._clear(folders.evidence_path(self._folder))
        return 0

    def _make_store(self) -> None:
        try:
            os.mkdir(self._store, 0o700)  # noqa: PTH102
        except FileExistsError:
            return
        folders.sync(Path(self._store).parent)

    # -- what there is ------------------------------------------------------------------------------------------

    def _pieces(self) -> Iterator[Piece]:
        for pattern in self._globs:
            found = sorted(glob.iglob(pattern, root_dir=self._cwd, recursive=True, include_hidden=True))  # noqa: PTH207
            files = [path for path in found if not (Path(self._cwd) / path).is_dir()]
            if not files:
                self._problems.append(f"nothing matches {pattern}")
            for name in files:
                path = str(Path(self._cwd) / name)
                yield Piece(name, path, path)
        place = folders.evidence_path(self._folder)
        for root, _, names in sorted(os.walk(place)):
            for path in sorted(f"{root}/{name}" for name in names):
                name = path.removeprefix(f"{place}/")
                yield Piece(name, path, f"$DURUN_EVIDENCE/{name}")

    def _take(self, piece: Piece) -> None:
        """Take one file; a problem if that can't be read. Raises OSError if it can't be written."""
        name = _printable(self._clean(piece.name))
        if self._globs and name in self._items:
            return
        if problem := self._refusal(name):
            self._problems.append(problem)
            return
        try:
            source = _open_regular(piece.path)
        except OSError as error:
            self._problems.append(f"{name}: {error.strerror}")
            return
        try:
            self._copy(name, piece, source)
        finally:
            os.close(source)

    def _refusal(self, name: str) -> str:
        if name in self._items:
            return f"two pieces of evidence are named {name}"
        if len(self._items) >= MOST_ITEMS:
            return f"more than {MOST_ITEMS} files: pack them into one"
        return ""

    # -- taking -------------------------------------------------------------------------------------------------

    def _copy(self, name: str, piece: Piece, source: int) -> None:
        began = time.time()
        facts = os.fstat(source)
        draft = f"{self._folder}/taking"
        digest, size, raw = hashlib.sha256(), 0, 0
        cleaner = self._cleaner() if self._cleaner is not None else None
        target = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    chunk = os.read(source, _CHUNK)
                except OSError as error:
                    self._problems.append(f"{name}: {error.strerror}")
                    return
                raw += len(chunk)
                clean = chunk if cleaner is None else cleaner.feed(chunk) if chunk else cleaner.finish()
                _write(target, clean)
                digest.update(clean)
                size += len(clean)
                if not chunk:
                    break
            self._keep(target, draft, digest.hexdigest())
        finally:
            os.close(target)
        self._say(
            name, digest.hexdigest(), size, piece.source, began, redacted=raw != size, modified_at=_iso(facts.st_mtime)
        )

    def _keep_stdout(self, taken: Stdout) -> None:
        descriptor = os.open(taken.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._keep(descriptor, taken.path, taken.sha256)
        finally:
            os.close(descriptor)
        self._say(taken.name, taken.sha256, taken.size, taken.source, taken.began, redacted=taken.redacted)

    def _keep(self, descriptor: int, draft: str, sha256: str) -> None:
        """Give a file its name by its content, durably; one that is there already is the same."""
        os.fchmod(descriptor, 0o400)
        os.fsync(descriptor)
        os.rename(draft, f"{self._store}/{sha256}")  # noqa: PTH104

    def _say(
        self, name: str, sha256: str, size: int, source: str, began: float, *, redacted: bool, **more: str
    ) -> None:
        item: dict[str, Any] = {"sha256": sha256, "bytes": size, "source": self._clean(source), "taken_at": _iso(began)}
        self._items[name] = item | more | ({"redacted": True} if redacted else {})

    # -- what is said of it -------------------------------------------------------------------------------------

    def _write_manifest(self) -> None:
        problems = self._problems[:MOST_PROBLEMS]
        if more := len(self._problems) - len(problems):
            problems.append(f"{more} more")
        manifest = {
            "host": socket.gethostname(),
            "user": _user(),
            "uid": os.getuid(),
            "command": [_printable(self._clean(word)) for word in self._command],
            "utc_offset": time.strftime("%z"),
            "items": self._items,
            **({"problems": [_printable(self._clean(text)) for text in problems]} if problems else {}),
        }
        folders.sync(self._store)
        write_durably(folders.manifest_path(self._folder), json.dumps(manifest, sort_keys=True).encode())
        folders.sync(self._folder.parent)

    def _clean(self, text: str) -> str:
        if self._cleaner is None:
            return text
        cleaner = self._cleaner()
        clean = cleaner.feed(text.encode("utf-8", "surrogateescape")) + cleaner.finish()
        return clean.decode("utf-8", "surrogateescape")

    def _clear(self, place: str) -> None:
        """What was taken need not lie there twice. What could not be taken stays, unless secrets may be in it."""
        if self._problems and self._cleaner is None:
            return
        with contextlib.suppress(OSError):
            folders.remove_all(place)


def _open_regular(path: str) -> int:
    """A file, never a pipe or a device, which might be read for ever. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _printable(text: str) -> str:
    """A name that any terminal and any JSON can hold."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _iso(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
