"""Looks for secrets while durun works: in every file of the state directory, and in the arguments of every process.

    python secret_watch.py HOME MEMORY…

A process of its own: to open the journal in a process that has it open would take SQLite's locks away. The memories are
files of values in JSON lines, to which steps append. It ends when its stdin ends, after a last look at everything, and
prints what it saw and how often it looked, as JSON.
"""

from __future__ import annotations

import base64
import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from secret_forms import clues, seen

_PAUSE = 0.02


class Watch:
    """Looks at one state directory."""

    def __init__(self, home: Path, memories: list[Path]) -> None:
        self._home = home
        self._memories = memories
        self._values: set[str] = set()
        self._clues: set[bytes] = set()
        self._looked: dict[Path, tuple[int, int, int]] = {}
        self.looks = 0
        self.found: dict[str, str] = {}

    def look(self) -> None:
        """Look at what has changed since the last time, and at all once there are new secrets."""
        self.looks += 1
        self._learn()
        for path, content in self._changed():
            for place, text in _readings(path, content):
                self._judge(place, text)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                self._judge(str(path), path.read_bytes())

    def _judge(self, place: str, content: bytes) -> None:
        if (clue := seen(content, self._clues)) is not None:
            at = max(0, content.find(clue) - 60)
            self.found[place] = f"{clue!r} in …{content[at : at + 160]!r}…"

    def _learn(self) -> None:
        for memory in self._memories:
            text = memory.read_text() if memory.exists() else ""
            for line in text[: text.rfind("\n") + 1].splitlines():
                value = json.loads(line)["value"]
                if value not in self._values:
                    self._values.add(value)
                    self._clues |= clues(value)
                    self._looked.clear()

    def _changed(self) -> Iterator[tuple[Path, bytes]]:
        # Folders go away while we look.
        for path in (Path(folder) / name for folder, _, names in os.walk(self._home) for name in names):
            with suppress(OSError):
                if not path.is_file() or path.is_symlink():
                    continue
                stat = path.stat()
                content = path.read_bytes()
                about = stat.st_ino, stat.st_size, stat.st_mtime_ns
                if self._looked.get(path) != about:
                    self._looked[path] = about
                    yield path, content


def _readings(path: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    """A file as it is; a log also as what it tells of each stream: what is split over two of its lines is one text."""
    yield str(path), content
    if path.name != "log":
        return
    streams: dict[str, bytes] = {}
    for line in content.split(b"\n")[:-1]:
        said = json.loads(line)
        data = base64.b64decode(said["base64"]) if "base64" in said else said["text"].encode()
        streams[said["stream"]] = streams.get(said["stream"], b"") + data
    for name, data in streams.items():
        yield f"{path} ({name})", data


def main(argv: list[str]) -> None:
    """Look until nobody wants it any more."""
    watch = Watch(Path(argv[0]), [Path(name) for name in argv[1:]])
    while not select.select([sys.stdin], [], [], _PAUSE)[0]:
        watch.look()
    watch.look()
    print(json.dumps({"looks": watch.looks, "found": watch.found}))


if __name__ == "__main__":
    main(sys.argv[1:])
