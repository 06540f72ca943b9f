"""Reading what an attempt wrote: its log is JSON lines, each with a time, a stream, and text or base64.

A line may still be in the making, or be cut off by a crash: only lines with their line break count.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from durun.engine.local.folder import log_path

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


def _parse(line: bytes) -> LogRecord:
    data = json.loads(line)
    content = base64.b64decode(data["base64"]) if "base64" in data else data["text"].encode()
    return LogRecord(data["at"], data["stream"], content)
