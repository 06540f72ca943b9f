from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durun.engine.local.files import changed_files, copy_files, read_listed
from durun.errors import StorageFailed, UsageError
from durun.language.targets import TargetError
from durun.model.event import RunCreated, encode


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a runbook."""
    made = tmp_path / "book"
    (made / "sql" / "deep").mkdir(parents=True)
    (made / "tool.sh").write_text("echo tool\n")
    (made / "tool.sh").chmod(0o755)
    (made / "sql" / "a.sql").write_text("select 1;\n")
    (made / "sql" / "deep" / "b.sql").write_text("select 2;\n")
    return made


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir(0o700)
    return made


def test_what_the_globs_choose_is_copied_with_its_mode_but_for_its_owner_only(place: Path, run_folder: Path) -> None:
    copied = copy_files([("", ["tool.sh", "sql/**/*.sql", "sql/a.sql"])], place, run_folder)
    assert copied == {
        "sql/a.sql": {"sha256": hashlib.sha256(b"select 1;\n").hexdigest(), "mode": "0600"},
        "sql/deep/b.sql": {"sha256": hashlib.sha256(b"select 2;\n").hexdigest(), "mode": "0600"},
        "tool.sh": {"sha256": hashlib.sha256(b"echo tool\n").hexdigest(), "mode": "0700"},
    }
    assert (run_folder / "files" / "sql" / "deep" / "b.sql").read_text() == "select 2;\n"
    assert stat.S_IMODE((run_folder / "files" / "tool.sh").stat().st_mode) == 0o700
    assert stat.S_IMODE((run_folder / "files" / "sql").stat().st_mode) & 0o077 == 0


def test_a_copy_can_be_made_anew(place: Path, run_folder: Path) -> None:
    copy_files([("", ["tool.sh"])], place, run_folder)
    (place / "tool.sh").write_text("new")
    copy_files([("", ["tool.sh"])], place, run_folder)
    assert (run_folder / "files" / "tool.sh").read_text() == "new"


def test_a_glob_that_chooses_nothing_is_refused(place: Path, run_folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        copy_files([("", ["*.py"])], place, run_folder)
    assert "nothing matches '*.py'" in refused.value.message


@pytest.mark.parametrize("glob", ["../outside", "link"])
def test_nothing_outside_of_the_runbooks_folder_is_taken(place: Path, run_folder: Path, glob: str) -> None:
    (place.parent / "outside").write_text("secret")
    (place / "link").symlink_to("../outside")
    with pytest.raises(UsageError) as refused:
        copy_files([("", [glob])], place, run_folder)
    assert "outside" in refused.value.message
    assert not list((run_folder).glob("files/*"))


def test_a_disk_that_refuses_is_a_storage_failure(place: Path, run_folder: Path) -> None:
    (run_folder / "files").write_text("in the way")
    with pytest.raises(StorageFailed):
        copy_files([("", ["tool.sh"])], place, run_folder)


def test_changed_and_missing_files_are_named(place: Path, run_folder: Path) -> None:
    copied = copy_files([("", ["tool.sh", "sql/a.sql", "sql/deep/b.sql"])], place, run_folder)
    assert changed_files(copied, place) == []
    (place / "sql" / "a.sql").write_text("select 3;\n")
    (place / "tool.sh").unlink()
    assert changed_files(copied, place) == ["sql/a.sql", "tool.sh"]


def test_targets_are_read_from_the_copy_or_else_beside_the_runbook(
    told: Callable[..., Any], place: Path, run_folder: Path
) -> None:
    created = told("steps: [{id: a, run: x}]").state.created
    beside = Path(created.place) / "hosts.yaml"
    beside.write_text("[now]")
    assert read_listed("hosts.yaml", created, run_folder) == b"[now]"
    (run_folder / "files").mkdir()
    (run_folder / "files" / "hosts.yaml").write_text("[then]")
    assert read_listed("hosts.yaml", created, run_folder) == b"[now]"
    with_copy = RunCreated(**{**encode(created), "files": {"hosts.yaml": {}}})
    assert read_listed("hosts.yaml", with_copy, run_folder) == b"[then]"
    with pytest.raises(TargetError) as refused:
        read_listed("nowhere.yaml", created, run_folder)
    assert os.strerror(2) in refused.value.message
    with pytest.raises(TargetError, match="no file has a name with a NUL character"):
        read_listed("a\0b", created, run_folder)
