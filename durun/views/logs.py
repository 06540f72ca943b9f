"""What steps wrote, as text: as it was in a pipe, with times and marks and nothing to obey on a terminal."""

from __future__ import annotations

import base64
import re
from typing import Protocol, TextIO

from durun.model.clock import from_iso
from durun.model.task import TaskKey
from durun.model.values import Json
from durun.views.json import SCHEMA, dump
from durun.views.text import harmless, local_time, task_name

_LONGEST = 1 << 16
"""Bytes without a line break after which a line is broken on a terminal."""

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
"""SGR sequences: taken out, for a colour is no text and shown as `␛[31m` it is noise."""


class Written(Protocol):
    """A piece of output."""

    @property
    def at(self) -> str:
        """When, ISO 8601."""

    @property
    def stream(self) -> str:
        """`stdout`, `stderr`, or `mark` for durun's own lines."""

    @property
    def data(self) -> bytes:
        """What."""


class LogView(Protocol):
    """Shows pieces of output, in order."""

    def record(self, key: TaskKey, attempt: int, record: Written) -> None:
        """One piece."""

    def ended(self, key: TaskKey) -> None:
        """All of what a task's attempt wrote was shown."""

    def flush(self) -> None:
        """Let a reader see it now."""

    def close(self) -> None:
        """Show what is still held back."""


class LogText:
    """Text on a stream. One task in a pipe: the bytes as they were, and durun's marks on lines of their own.

    Else lines, with the task's name if `labelled`. On a terminal each has its time, and `!` if it came over stderr.
    `today`: the day (`2026-01-31`) that need not be said; another one is said before the first line of it. `times`: day
    and time before each line, in a pipe too.
    """

    def __init__(self, stream: TextIO, labelled: bool = False, times: bool = False, today: str = "") -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._labelled = labelled
        self._times = times
        self._day = today
        self._asked = ("", "")
        self._unended = False
        self._parts: dict[tuple[TaskKey, str], tuple[str, bytes]] = {}

    def record(self, key: TaskKey, attempt: int, record: Written) -> None:  # noqa: ARG002
        """One piece; an unfinished line is held back until it is whole."""
        if not self._terminal and not self._labelled and not self._times:
            own_line = record.stream == "mark"
            data = b"\n" + record.data if own_line and self._unended else record.data
            self._stream.buffer.write(data + b"\n" if own_line else data)
            self._unended = not own_line and not data.endswith(b"\n")
            return
        begun, before = self._parts.pop((key, record.stream), (record.at, b""))
        *whole, rest = (before + record.data).split(b"\n")
        for line in whole:
            self._line(key, begun, record.stream, line)
            begun = record.at
        if len(rest) >= _LONGEST:
            self._line(key, begun, record.stream, rest)
        elif rest:
            self._parts[key, record.stream] = (begun, rest)

    def flush(self) -> None:
        """Let a reader see it now."""
        self._stream.flush()

    def ended(self, key: TaskKey) -> None:
        """Show lines of a task that never ended, before what another one wrote."""
        for part in [part for part in self._parts if part[0] == key]:
            at, line = self._parts.pop(part)
            self._line(key, at, part[1], line)

    def close(self) -> None:
        """Show lines that never ended."""
        for key in {key for key, _ in self._parts}:
            self.ended(key)
        self.flush()

    def _line(self, key: TaskKey, at: str, stream: str, line: bytes) -> None:
        label = f"{task_name(key)} | " if self._labelled else ""
        if not self._terminal:
            begin = f"{self._when(at)} {label}" if self._times else label
            self._stream.buffer.write(begin.encode("utf-8", "backslashreplace") + line + b"\n")
            return
        text = harmless(_COLOURS.sub("", line.decode("utf-8", "backslashreplace")).rstrip("\r"))
        mark = {"stderr": "!", "mark": "#"}.get(stream, " ")
        day, _, clock = self._when(at).partition(" ")
        if not self._times and day != self._day:
            self._stream.write(f"{day}\n")
            self._day = day
        self._stream.write(f"{f'{day} ' if self._times else ''}{clock} {mark} {label}{text}\n")

    def _when(self, at: str) -> str:
        """Day and time of a piece, for which many lines ask."""
        if at != self._asked[0]:
            self._asked = (at, local_time(from_iso(at)))
        return self._asked[1]


class JsonLogs:
    """Output as one object a record."""

    def __init__(self, stream: TextIO, run_id: str) -> None:
        self._stream = stream
        self._run = run_id

    def record(self, key: TaskKey, attempt: int, record: Written) -> None:
        """Write one record; what is not text comes in base64."""
        line: dict[str, Json] = {"schema": SCHEMA, "run": self._run, "step": key.step, "target": key.target}
        line |= {"attempt": attempt, "at": record.at, "stream": record.stream}
        try:
            line["text"] = record.data.decode()
        except UnicodeDecodeError:
            line["base64"] = base64.b64encode(record.data).decode()
        self._stream.write(dump(line))

    def ended(self, key: TaskKey) -> None:
        """Nothing is held back."""

    def flush(self) -> None:
        """Let a reader see it now."""
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held back."""
