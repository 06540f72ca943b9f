"""What the next attempt needs on the disk, made while the supervisor has nothing else to do.

A new folder and a new file wait for the file system while the runner's commit is being synced. Made ahead, they
cost the next step nothing; a `link` is all that is left to do then, and it is what counts.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from durun.engine.local.folder import attempt_folder, make_folder, make_gate, new_draft, place_gate
from durun.engine.local.records import Gate

FOLDER = "drafts"


class Drafts:
    """The folder and the gate file of the attempt that will probably be next."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._folder = run_folder / FOLDER
        self._draft: tuple[int, str] | None = None
        self._used: list[str] = []
        self._newest = 0
        self._made = 0

    @property
    def wanted(self) -> bool:
        """Whether there is something to prepare, or to tidy away."""
        return bool(self._used) or (self._newest > 0 and (self._draft is None or self._made <= self._newest))

    def prepare(self) -> None:
        """Do one of the things that can be done ahead. A disk that refuses is left to the attempt itself."""
        with contextlib.suppress(OSError):
            if self._used:
                os.unlink(self._used.pop())  # noqa: PTH108
            elif self._made <= self._newest:
                self._made = self._newest + 1
                make_folder(attempt_folder(self._run_folder, self._made))
            elif self._draft is None:
                self._draft = self._new()
            return
        self._newest = 0

    def _new(self) -> tuple[int, str]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        draft = f"{self._folder}/{os.urandom(8).hex()}"
        return new_draft(draft), draft

    def gate(self, number: int, gate: Gate) -> int | None:
        """Put the attempt's gate into place, its folder made if need be: see `make_gate`. Raises OSError."""
        folder = attempt_folder(self._run_folder, number)
        if number != self._made:
            make_folder(folder)
        self._newest = max(self._newest, number)
        if self._draft is None:
            return make_gate(folder, gate)
        (descriptor, draft), self._draft = self._draft, None
        self._used.append(draft)
        return descriptor if place_gate(descriptor, draft, folder, gate) else None

    def close(self) -> None:
        """Remove what was made ahead and is not needed."""
        if self._draft is not None:
            os.close(self._draft[0])
            self._used.append(self._draft[1])
            self._draft = None
        with contextlib.suppress(OSError):
            for draft in self._used:
                os.unlink(draft)  # noqa: PTH108
            if self._made > self._newest:
                attempt_folder(self._run_folder, self._made).rmdir()
            self._folder.rmdir()
