from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from durun.engine.local.requirements import check_requirements
from durun.errors import CannotStart, NotAllowed
from durun.model.runbook import Requires


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which there is one command, and one file that is none."""
    for name, mode in (("tool", 0o755), ("text", 0o644)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)
    return str(tmp_path)


def test_what_is_there_is_enough(path: str) -> None:
    check_requirements(Requires(), path)
    check_requirements(Requires(commands=("tool", "/bin/sh")), path)


def test_all_that_is_missing_is_named_at_once(path: str) -> None:
    with pytest.raises(CannotStart) as refused:
        check_requirements(Requires(commands=("psql", "tool", "text", "kubectl")), path)
    assert "requires psql, text, kubectl" in refused.value.message
    assert path in refused.value.hint


def test_one_group_of_several_is_enough(path: str) -> None:
    mine = grp.getgrgid(os.getegid()).gr_name
    check_requirements(Requires(groups=("no-such-group", mine)), path)


def test_somebody_in_none_of_the_groups_is_refused(path: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        check_requirements(Requires(groups=("no-such-group", "nor-this")), path)
    assert "members of no-such-group, nor-this" in refused.value.message


def test_a_group_without_a_name_goes_by_its_number(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getgroups", lambda: [3_999_999])
    check_requirements(Requires(groups=("3999999",)), path)
