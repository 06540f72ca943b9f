"""Where a journal may live, and with which command a place is mended that is not fit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from durun.errors import Unsafe
from durun.journal import place

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:45 / /srv/home rw,relatime shared:20 - nfs4 server:/home rw,vers=4.2
41 22 0:46 / /mnt/my\\040disk rw - fuse.sshfs me@there:/ rw
"""


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("device", "kind"), [("0:45", "nfs4"), ("0:46", "fuse.sshfs"), ("254:0", "ext4"), ("9:9", None)]
)
def test_a_network_file_system_is_known_by_its_mount(device: str, kind: str | None) -> None:
    assert place.mounted(device, MOUNTS) == kind
    assert (kind in place.NETWORK) is (device in ("0:45", "0:46"))


@pytest.mark.fault(23)
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(Unsafe) as refused:
        place.prepare(folder / "journal.db")
    assert refused.value.exit_code == 13
    assert refused.value.hint == f"chmod 700 {folder}"


@pytest.mark.fault(23)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 4242, 4242)
    with pytest.raises(Unsafe, match="belongs to another user"):
        place.prepare(folder / "journal.db")


@pytest.mark.fault(23)
def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write even where the mode says no
    with pytest.raises(Unsafe) as refused:
        place.prepare(folder / "journal.db")
    assert "chmod u+rwx" in refused.value.hint


def test_missing_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        place.prepare(tmp_path / "a" / "b" / "journal.db")
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_journal_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "journal.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unsafe, match="symbolic link"):
        place.prepare(folder / "journal.db")


def test_an_empty_journal_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    place.create(path)
    path.write_text("kept")
    place.create(path)
    assert path.read_text() == "kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
