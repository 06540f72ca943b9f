"""The evidence runbook, for real, on the machine that the tests run on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
RUNBOOK = RUNBOOKS / "gather-evidence.yaml"
SCRIPTS = RUNBOOKS / "gather-evidence"


def _sums_hold(case: Path) -> None:
    command = ["sha256sum", "--quiet", "-c", "SHA256SUMS"]
    done = subprocess.run(command, cwd=case, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {line.split("  ", 1)[1].removeprefix("./") for line in (case / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(case)) for path in case.rglob("*") if path.is_file()}
    assert listed == there - {"SHA256SUMS"}


def _note(path: Path) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in path.read_text().splitlines() if not line.startswith("stderr"))


def _script(name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DURUN_RUN_ID": "r1", "INPUT_CASE": "x", **env}
    return subprocess.run(
        [SCRIPTS / name, *arguments], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_the_case_folder_is_whole_and_its_checksums_hold(durun: Any, tmp_path: Path) -> None:
    case, mine = tmp_path / "case", tmp_path / "mine.conf"
    mine.write_text("colour = blue\n")
    files = json.dumps(["/etc/passwd", str(mine), str(tmp_path / "missing.conf")])
    durun("run", RUNBOOK, "-i", f"output={case}", "-i", "case=2026-7", "-i", f"config_files={files}")

    _sums_hold(case)
    assert (case / f"files{mine}").read_bytes() == mine.read_bytes()
    assert (case / "files/etc/passwd").read_bytes() == Path("/etc/passwd").read_bytes()
    assert _note(case / f"files-notes{tmp_path}/missing.conf.txt")["missing"] == "yes"
    assert f"{os.getuid()}" in (case / "130-accounts.txt").read_text()
    assert "durun" in (case / "060-processes.txt").read_text()
    assert "case: 2026-7" in (case / "case.txt").read_text()
    assert case.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in case.rglob("*") if path.is_file()} == {0o400}
    assert (
        durun.json("show", durun.run_id())["outputs"]["sha256"]
        == hashlib.sha256((case / "SHA256SUMS").read_bytes()).hexdigest()
    )


def test_items_are_taken_in_their_order(durun: Any, tmp_path: Path) -> None:
    case = tmp_path / "case"
    durun("run", RUNBOOK, "-i", f"output={case}", "-i", "config_files=[]")

    items = sorted(case.glob("[0-9]*.txt"))
    assert len(items) == 15
    taken = [item.stat().st_mtime_ns for item in items]
    assert taken == sorted(taken)


def test_what_was_taken_before_the_kill_is_not_taken_again(
    durun: Any, tmp_path: Path, kill_after: Callable[..., None]
) -> None:
    case = tmp_path / "case"
    kill_after(durun.start("run", RUNBOOK, "-i", f"output={case}"), "item", 3)
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in case.glob("[0-9]*.txt")}
    assert 3 <= len(before) < 15
    durun("resume", durun.run_id())

    assert len(list(case.glob("[0-9]*.txt"))) == 15
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in before} == before
    _sums_hold(case)


def test_a_file_that_cannot_be_copied_is_noted_and_does_not_stop_the_rest(durun: Any, tmp_path: Path) -> None:
    case = tmp_path / "case"
    files = json.dumps(["/etc", "/etc/passwd"])
    durun("run", RUNBOOK, "-i", f"output={case}", "-i", f"config_files={files}")

    assert _note(case / "files-notes/etc.txt")["not a file"] == "directory"
    assert (case / "files/etc/passwd").exists()
    tasks = {(task["step"], task["target"]): task["status"] for task in durun.json("show", durun.run_id())["tasks"]}
    assert tasks["config_file", "/etc"] == "failed"
    assert tasks["config_file", "/etc/passwd"] == "succeeded"
    _sums_hold(case)


def test_the_folder_of_another_case_is_refused(durun: Any, tmp_path: Path) -> None:
    case = tmp_path / "case"
    case.mkdir()
    (case / "theirs").write_text("x")
    durun("run", RUNBOOK, "-i", f"output={case}", code=1)
    assert "is not empty" in durun("logs", durun.run_id(), "open_case")


def test_an_item_without_its_command_is_taken_from_proc_or_said_to_be_missing(tmp_path: Path) -> None:
    case = str(tmp_path / "case")
    assert _script("open-case.sh", INPUT_OUTPUT=case).returncode == 0
    item = {"INPUT_OUTPUT": case, "TARGET_ABOUT": "a"}
    items = {"060-processes": "no-such-ps /proc/self/status", "150-packages": "no-such-dpkg no-such-rpm"}
    for name, needs in items.items():
        assert _script("take.sh", "verify", TARGET_NAME=name, NEEDS=needs, **item).returncode == 3
        assert _script("take.sh", TARGET_NAME=name, NEEDS=needs, **item).returncode == 0
        assert _script("take.sh", "verify", TARGET_NAME=name, NEEDS=needs, **item).returncode == 0

    processes = (tmp_path / "case/060-processes.txt").read_text().splitlines()
    assert any(line.startswith(f"{os.getpid()}\t{os.getppid()}\t{os.getuid()}\t") for line in processes)
    assert (tmp_path / "case/150-packages.txt").read_text().startswith("not taken: this machine has none of: ")
    assert _note(tmp_path / "case/150-packages.meta")["with"] == "nothing"


def test_evidence_that_changed_since_it_was_taken_is_noticed(tmp_path: Path) -> None:
    case = tmp_path / "case"
    env = {"INPUT_OUTPUT": str(case), "DURUN_OUTPUT": str(tmp_path / "out")}
    item = {"TARGET_ABOUT": "a", "TARGET_NAME": "010-time", "NEEDS": "date"}
    assert _script("open-case.sh", **env).returncode == 0
    assert _script("take.sh", **item, **env).returncode == 0
    (case / "010-time.txt").write_text("another time\n")
    done = _script("manifest.sh", **env)
    assert done.returncode == 1
    assert "changed since it was taken: ./010-time.txt" in done.stderr
