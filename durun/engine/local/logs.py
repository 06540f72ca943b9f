"""Reading what an attempt wrote: its log is JSON lines, each with a time, a stream, and text or base64.

A line may still be in the making, or be cut off by a crash: only lines with their line break count.
"""

from __future__ import annotations

import json
import os
from binascii import a2b_base64
from collections.abc import Iterator
from pathlib import Path

from durun.engine.local.names import log_path
from durun.model.tuples import NamedTuple

_END = 1 << 14
"""Bytes at the end of a log that are looked at for its last line."""

MARK = "mark"
"""The stream of durun's own lines: the output was cut here."""


class LogRecord(NamedTuple):
    """Some output: when (ISO 8601, UTC), on which stream (`stdout`, `stderr`, `mark`), and what."""

    at: str
    stream: str
    data: bytes


def read_log(folder: Path) -> Iterator[LogRecord]:
    """All that the attempt's log holds, in order; nothing if there is none."""
    try:
        with Path(log_path(folder)).open("rb") as log:
            for line in log:
                if line.endswith(b"\n"):
                    yield _parse(line)
    except FileNotFoundError:
        return


def read_log_from(path: Path, offset: int) -> tuple[list[LogRecord], int]:
    """What a log holds from this byte on, and the byte to go on from; for following. A few MiB at most per call."""
    try:
        with path.open("rb") as log:
            log.seek(offset)
            lines = log.readlines(4 << 20)
    except FileNotFoundError:
        return [], offset
    whole = [line for line in lines if line.endswith(b"\n")]
    return [_parse(line) for line in whole], offset + sum(map(len, whole))


def read_stream(folder: Path, stream: str, limit: int) -> bytes:
    """The first `limit` bytes that were kept of one stream."""
    kept = bytearray()
    for record in read_log(folder):
        if record.stream == stream:
            kept += record.data
        if len(kept) >= limit:
            break
    return bytes(kept[:limit])


def last_line(folder: Path, stream: str) -> str:
    """The last line that is not blank of what an attempt wrote to a stream; empty where the log's end has none."""
    try:
        with open(log_path(folder), "rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _END))
            lines = log.read(_END).split(b"\n")[1 if size > _END else 0 : -1]
        written = b"".join([record.data for record in map(_parse, lines) if record.stream == stream])
    except OSError:
        return ""
    found = [line for line in written.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return found[-1].strip() if found else ""


def _parse(line: bytes) -> LogRecord:
    data = json.loads(line)
    return LogRecord(
        data["at"], data["stream"], data["text"].encode() if "text" in data else a2b_base64(data["base64"])
    )
