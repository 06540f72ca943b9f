"""The scripts that are shipped: executable, and without the mistakes that shellcheck knows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
SHELL = sorted(RUNBOOKS.rglob("*.sh"))
SCRIPTS = [*SHELL, *sorted(RUNBOOKS.rglob("*.py"))]
SOURCED = {"lib.sh", "remote.sh"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(RUNBOOKS)))
def test_is_executable_unless_it_is_sourced(script: Path) -> None:
    sourced = script.name in SOURCED
    assert (script.stat().st_mode & 0o111 == 0) is sourced
    assert script.read_text().startswith("#!") is not sourced


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", *SHELL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
