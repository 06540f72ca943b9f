"""Keyrings of which the test decides what they do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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

    def entries(self) -> dict[str, str]:
        return {path.name: json.loads(path.read_text()) for path in self._folder.iterdir()}

    def _ask(self) -> None:
        if self.locked or self.absent:
            raise SecretUnavailable("the keyring is locked" if self.locked else "there is no keyring", "unlock it")

    def _path(self, service: str, username: str) -> Path:
        return self._folder / f"{service}: {username}"


@pytest.fixture
def keyring(tmp_path: Path) -> KeyringDouble:
    return KeyringDouble(tmp_path / "keyring")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def as_somebody(tmp_path: Path) -> Callable[..., str]:
    """What `read_private` answers to another user: the content, or the message of its refusal."""
    script = """
import os, sys
from pathlib import Path
from durun.errors import SecretUnavailable
from durun.secrets.files import read_private
descriptor = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
os.fchdir(descriptor)
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
try:
    print(read_private(Path(sys.argv[2]), credential=sys.argv[3] == "True"))
except SecretUnavailable as error:
    print(error.message)
"""

    def read(path: Path, credential: bool = False) -> str:
        path.parent.chmod(0o711)
        argv = [sys.executable, "-c", script, str(path.parent), path.name, str(credential)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    return read
