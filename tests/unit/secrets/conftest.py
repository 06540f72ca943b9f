"""Keyrings of which the test decides what they do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doubles import KeyringDouble


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
