"""What lies in a state directory, however busy it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file below a folder with what it holds, no pipes.

    A supervisor tidies up after the command that started it has ended: what it takes away meanwhile is not there.
    """
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in sorted(names)):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.read_bytes()


def everything(folder: Path) -> bytes:
    """All bytes in the files below a folder."""
    return b"\0".join(content for _, content in files(folder))
