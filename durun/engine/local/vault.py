"""The sealed files of a run: secret outputs, secret inputs and secret fields of targets, durable before they count.

A sealed file holds a JSON object, name → value. It is bound to its run and its place, so that none can be put in
another's stead.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from durun.durable import sync_folder, write_durably
from durun.engine.local.folder import seal_context, sealed_path
from durun.engine.local.names import attempt_folder
from durun.errors import SecretUnavailable, StorageFailed
from durun.model.values import Json
from durun.secrets.seal import Unsealable, seal, unseal

FOLDER = "sealed"


class Key(Protocol):
    """durun's own key (`durun.secrets.keys.SealKey`)."""

    def public(self) -> bytes:
        """What is sealed to."""

    def private(self) -> bytes:
        """What opens it. Raises SecretUnavailable."""


class Vault:
    """Seals and opens the values of one run."""

    def __init__(self, run_folder: Path, key: Key, mark: Path) -> None:
        self._run_folder = run_folder
        self._mark = mark
        self._key = key
        self._opened: dict[str, Mapping[str, Json]] = {}

    def put(self, at: str, values: Mapping[str, Json]) -> None:
        """Seal values under a name in the run's folder (`sealed/…`), durably. Raises StorageFailed."""
        path = self._run_folder / at
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self._run_folder)
            content = json.dumps(values).encode("utf-8", "surrogatepass")
            write_durably(path, seal(self._key.public(), content, self._context(at)))
        except OSError as error:
            raise StorageFailed(f"{path}: {error.strerror}", self._hint()) from error
        self._opened[at] = values

    def get(self, at: str) -> Mapping[str, Json]:
        """The values under this name. Raises SecretUnavailable."""
        if at not in self._opened:
            values: Mapping[str, Json] = json.loads(self._open(self._run_folder / at, self._context(at)))
            self._opened[at] = values
        return self._opened[at]

    def written(self, folder: int) -> Mapping[str, Json]:
        """What the supervisor sealed of this attempt (see `supervisor.ending`); empty if it wrote nothing.

        Raises SecretUnavailable.
        """
        place = attempt_folder(self._run_folder, folder)
        path = Path(sealed_path(place))
        if not path.exists():
            return {}
        parts: Mapping[str, Json] = json.loads(self._open(path, seal_context(place)))
        return parts

    def mark(self) -> None:
        """Note that there may be something to destroy. Raises StorageFailed."""
        try:
            self._mark.parent.mkdir(mode=0o700, exist_ok=True)
            self._mark.touch(mode=0o600)
        except OSError as error:
            raise StorageFailed(f"{self._mark}: {error.strerror}", self._hint()) from error

    def unmark(self) -> None:
        """Nothing is left to destroy."""
        with suppress(OSError):
            self._mark.unlink()

    def destroy(self) -> None:
        """Remove every sealed file of the run. Raises StorageFailed."""
        self._opened.clear()
        try:
            for path in self._run_folder.glob("attempts/*/sealed"):
                path.unlink(missing_ok=True)
            shutil.rmtree(self._run_folder / FOLDER, ignore_errors=False)
            sync_folder(self._run_folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageFailed(f"sealed values can't be removed: {error}", self._hint()) from error

    def _open(self, path: Path, context: str) -> bytes:
        try:
            return unseal(self._key.private(), path.read_bytes(), context)
        except (OSError, Unsealable) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise SecretUnavailable(
                f"the sealed values in {path} can't be opened: {why}",
                "restore the state directory and its seal key from the same moment",
            ) from error

    def _context(self, at: str) -> str:
        return f"{self._run_folder.name}/{at}"

    def _hint(self) -> str:
        return f"see to the disk, then: durun resume {self._run_folder.name}"
