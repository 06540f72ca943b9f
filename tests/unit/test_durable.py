from __future__ import annotations

import os

import pytest

from durun.durable import write_durably


def test_a_file_is_its_owners_alone_whatever_the_umask(tmp_path):
    mask = os.umask(0)
    try:
        write_durably(tmp_path / "one", b"x" * 100_000)
        os.umask(0o777)
        write_durably(tmp_path / "two", b"y")
    finally:
        os.umask(mask)
    assert [file.stat().st_mode & 0o7777 for file in sorted(tmp_path.iterdir())] == [0o600, 0o600]
    assert (tmp_path / "one").read_bytes() == b"x" * 100_000


def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path):
    write_durably(tmp_path / "s", b"first")
    write_durably(str(tmp_path / "s"), b"second")
    assert (tmp_path / "s").read_bytes() == b"second"
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


def test_a_file_that_can_t_be_put_there_leaves_nothing(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "full").touch()
    with pytest.raises(OSError):
        write_durably(tmp_path / "s", b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["s"]
    with pytest.raises(OSError):
        write_durably(tmp_path / "missing" / "s", b"x")


def test_a_mode_may_be_asked_for(tmp_path):
    write_durably(tmp_path / "s", b"x", 0o700)
    assert (tmp_path / "s").stat().st_mode & 0o7777 == 0o700
