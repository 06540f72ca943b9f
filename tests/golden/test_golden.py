"""State directories that earlier versions left in the middle of a run are taken up by this one (see `record.py`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from durun.journal.sqlite import open_journal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORDED = sorted(path.name for path in HERE.glob("v*") if path.is_dir())


@pytest.fixture(params=RECORDED)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what was recorded, with the modes that git does not keep."""
    place = tmp_path / "state"
    shutil.copytree(HERE / request.param, place)
    for path in (place, *place.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return place


def durun(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "DURUN_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "durun", *argv], env=env, capture_output=True, text=True, timeout=50, check=False
    )


def test_something_is_recorded() -> None:
    assert RECORDED


@pytest.mark.fault(42)
def test_old_records_are_adopted(home: Path) -> None:
    (run,) = (path.name for path in (home / "runs").iterdir())
    with open_journal(home / "journal.db", read_only=True) as journal:
        journal.check(run)
    accepted = [f"--accept-env={name}" for name in ("HOST", "HOME", "UID")]
    ran = durun(home, "resume", run, *accepted)
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(durun(home, "show", run, "--json").stdout)
    assert shown["status"] == "succeeded"
    assert shown["outputs"] == {"sum": "b-43"}
    tasks = {(task["step"], task["target"]): task for task in shown["tasks"]}
    assert {key: task["how"] for key, task in tasks.items()} == {
        ("done", None): "ran",
        ("open", None): "adopted",
        ("next", "a"): "ran",
        ("next", "b"): "ran",
    }
    assert all(len(task["attempts"]) == 1 for task in tasks.values())
    assert durun(home, "logs", run, "open").stdout == "begun\nended\n"
    with open_journal(home / "journal.db", read_only=True) as journal:
        journal.check(run)


@pytest.mark.fault(42)
def test_old_runs_are_proved_and_exported_and_signed_from_now_on(home: Path, tmp_path: Path) -> None:
    (run,) = (path.name for path in (home / "runs").iterdir())
    before = durun(home, "verify")
    assert (before.returncode, before.stderr) == (0, "")
    assert "there is no register yet" in before.stdout
    accepted = [f"--accept-env={name}" for name in ("HOST", "HOME", "UID")]
    assert durun(home, "resume", run, *accepted).returncode == 0
    proof = json.loads(durun(home, "verify", "--json").stdout)
    assert (proof["runs"], proof["unsigned"], len(proof["keys"])) == (1, 0, 1)
    assert durun(home, "export", run, "-o", str(tmp_path / "run.tar.gz")).returncode == 0
    assert durun(home, "verify", str(tmp_path / "run.tar.gz")).returncode == 0


@pytest.mark.fault(42)
def test_old_runs_are_listed(home: Path) -> None:
    (line,) = json.loads(durun(home, "history", "--json").stdout)
    assert (line["status"], line["tasks"]["succeeded"]) == ("interrupted", 1)
