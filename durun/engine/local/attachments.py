"""Files that people give with a decision: copied into the run's folder, each under its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from durun.durable import sync_folder, write_whole
from durun.errors import StorageFailed, UsageError
from durun.model.values import Json

FOLDER = "attachments"
MOST = 64 << 20
"""Bytes of one file."""


def keep(run_folder: Path, paths: Sequence[str]) -> list[Json]:
    """Copies of the files, which are durable when this returns: `{"name", "path", "size", "sha256"}` of each.

    Raises UsageError for a file that can't be read, StorageFailed for a disk that refuses.
    """
    contents = [(Path(path).name, _read(path)) for path in paths]
    folder = run_folder / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = [_keep(folder, name, content) for name, content in contents]
        sync_folder(folder)
        sync_folder(run_folder)
    except OSError as error:
        raise StorageFailed(f"the attachments can't be kept: {error}", "make room, then try again") from error
    return kept


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", "attach a file that can be read") from error
    if len(content) > MOST:
        raise UsageError(f"{path} has more than {MOST >> 20} MiB", "attach what matters of it")
    return content


def _keep(folder: Path, name: str, content: bytes) -> Json:
    digest = hashlib.sha256(content).hexdigest()
    write_whole(folder / digest, content)
    shown = name.encode("utf-8", "replace").decode()
    return {"name": shown, "path": f"{FOLDER}/{digest}", "size": len(content), "sha256": digest}
