"""The log of an attempt: what it wrote to stdout and stderr, cut at a cap, with size and digest of the whole.

Whatever happens to the log, the step goes on: on a full disk the log ends with a mark, and the pipes are read
on. Memory does not grow with the output.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

STREAMS = ("stdout", "stderr")


class Cleaner(Protocol):
    """Takes secrets out of a stream (`durun.secrets.redact.Stream`)."""

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now."""

    def finish(self) -> bytes:
        """The rest."""


class _Stream:
    def __init__(self, digest: Any, cleaner: Cleaner | None) -> None:
        self.raw = 0
        self.size = 0
        self.cut = False
        self.rest = b""
        self.digest = digest
        self.cleaner = cleaner


class AttemptLog:
    """Takes what is read from the pipes, and keeps up to `cap` bytes of it; with `keep` False, none.

    What is kept is redacted by a `cleaner` for each stream, and size and digest are those of the redacted text; if
    there was anything to redact in it, `redacted` says so.
    Where nothing is kept, they are those of the whole, and the digest is keyed with `digest_key`. `clock` tells when
    something was written (seconds since the epoch).
    """

    def __init__(
        self,
        path: str,
        cap: int,
        keep: bool,
        cleaner: Callable[[], Cleaner] | None = None,
        digest_key: bytes = b"",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._clock = clock
        self._room = cap if keep else 0
        self._cap = cap
        self._open = keep
        self._file: int | None = None
        self._end = 0
        self._last = 0
        self._keyed = not keep and bool(digest_key)
        self._streams = {
            name: _Stream(
                _keyed(digest_key) if self._keyed else hashlib.sha256(),
                cleaner() if keep and cleaner is not None else None,
            )
            for name in STREAMS
        }

    @property
    def exists(self) -> bool:
        """Whether there is a log file."""
        return self._file is not None

    def write(self, name: str, chunk: bytes) -> None:
        """Take a chunk of one stream. Never fails: what can't be kept is counted and marked as cut."""
        stream = self._streams[name]
        stream.raw += len(chunk)
        self._take(name, stream, chunk if stream.cleaner is None else stream.cleaner.feed(chunk))

    def _take(self, name: str, stream: _Stream, chunk: bytes) -> None:
        if not chunk:
            return
        stream.size += len(chunk)
        stream.digest.update(chunk)
        if self._open:
            kept = chunk[: self._room]
            self._room -= len(kept)
            self._keep(name, stream, kept)
            if len(kept) < len(chunk) and self._open:
                self._cut(f"the output is cut here: {self._cap} bytes are kept")
        if not self._open:
            stream.cut = True

    def finish(self) -> dict[str, dict[str, Any]]:
        """Write what was held back, and tell size, SHA-256 and completeness of each stream that wrote anything."""
        for name, stream in self._streams.items():
            if stream.cleaner is not None:
                self._take(name, stream, stream.cleaner.finish())
        self._flush()
        word = "hmac_sha256" if self._keyed else "sha256"
        return {
            name: {"bytes": stream.size, word: stream.digest.hexdigest(), "cut": stream.cut, **_redacted(stream)}
            for name, stream in self._streams.items()
            if stream.size
        }

    def sync(self) -> None:
        """Make the log durable. Raises OSError."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        self._open = False
        if self._file is not None:
            os.close(self._file)

    def _keep(self, name: str, stream: _Stream, chunk: bytes) -> None:
        """Text as text. A character that is split over two chunks is held back; what is no UTF-8 is kept as base64."""
        data = stream.rest + chunk
        try:
            text, used = codecs.utf_8_decode(data, "strict", False)
        except UnicodeDecodeError:
            stream.rest = b""
            self._append(self._binary(name, data))
            return
        stream.rest = data[used:]
        if text:
            line = self._line(name, text=text)
            # Control characters take six bytes each in JSON: a megabyte of them must not make six of log.
            self._append(line if len(line) < 2 * used + 200 else self._binary(name, data[:used]))

    def _flush(self) -> None:
        for name, stream in self._streams.items():
            rest, stream.rest = stream.rest, b""
            if rest and self._open:
                self._append(self._binary(name, rest))

    def _append(self, line: bytes) -> None:
        try:
            self._write(line)
        except OSError as error:
            self._open = False
            self._mark(f"the output is cut here: {error.strerror}")
            for stream in self._streams.values():
                stream.cut = stream.cut or stream.size > 0

    def _write(self, line: bytes) -> None:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._last, self._end = self._end, self._end + len(line)

    def _binary(self, name: str, data: bytes) -> bytes:
        return self._line(name, base64=base64.b64encode(data).decode())

    def _line(self, stream: str, **content: str) -> bytes:
        now = self._clock()
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
        return json.dumps({"at": at, "stream": stream, **content}, ensure_ascii=False).encode() + b"\n"

    def _cut(self, why: str) -> None:
        self._flush()
        if self._open:
            self._open = False
            self._mark(why)

    def _mark(self, why: str) -> None:
        """End the log with a mark; on a full disk in the place of the last record, if there is no room behind it."""
        for end in (self._end, self._last):
            try:
                if self._file is not None:
                    os.ftruncate(self._file, end)
                self._end = end
                self._write(self._line("mark", text=why))
            except OSError:
                continue
            return
        if self._file is not None:
            # Not even a mark: at least no torn line. The exit record says that it is cut.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._last)


def _redacted(stream: _Stream) -> dict[str, bool]:
    """What is redacted gets shorter: no secret that is looked for is as short as its mark."""
    return {"redacted": True} if stream.raw != stream.size else {}


def _keyed(key: bytes) -> Any:
    import hmac  # a supervisor's start does not pay for it

    return hmac.new(key, digestmod="sha256")
