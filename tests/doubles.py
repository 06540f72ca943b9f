"""Stand-ins that the tests of several folders use."""

from __future__ import annotations

import json
from pathlib import Path

from durun.errors import SecretUnavailable
from durun.secrets.api import Backend


class KeyringDouble:
    """A keyring in a folder, so that several processes can share it. `locked`, `forgetful`, `absent` spoil it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.locked = self.forgetful = self.absent = False
        folder.mkdir(exist_ok=True)

    def get(self, service: str, username: str) -> str | None:
        self._ask()
        path = self._path(service, username)
        return json.loads(path.read_text()) if path.exists() else None

    def put(self, service: str, username: str, value: str) -> None:
        self._ask()
        if not self.forgetful:
            self._path(service, username).write_text(json.dumps(value))

    def delete(self, service: str, username: str) -> bool:
        self._ask()
        there = self._path(service, username).exists()
        self._path(service, username).unlink(missing_ok=True)
        return there

    def backend(self) -> Backend:
        return Backend("fail", False, "no D-Bus here") if self.absent else Backend("double", True)

    def close(self) -> None:
        pass

    def entries(self) -> dict[str, str]:
        return {path.name: json.loads(path.read_text()) for path in self._folder.iterdir()}

    def _ask(self) -> None:
        if self.locked or self.absent:
            raise SecretUnavailable("the keyring is locked" if self.locked else "there is no keyring", "unlock it")

    def _path(self, service: str, username: str) -> Path:
        return self._folder / f"{service}: {username}"
