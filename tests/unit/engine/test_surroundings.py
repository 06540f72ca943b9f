from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durun.engine.local.surroundings import (
    base_environment,
    fingerprint_key,
    inherited_names,
    refuse_differences,
    take_down,
)
from durun.errors import Changed

KEY = b"k" * 32
BOOK = """
inherit_env: [AWS_*, TERM]
steps:
  - {id: a, run: x, inherit_env: [DEPLOY_TOKEN], env: {R: "${{ env.REGION }}", G: "${{ env.GONE | default('') }}"}}
"""
ENVIRON = {
    "HOME": "/home/ada",
    "PATH": "/usr/bin",
    "AWS_KEY": "one",
    "AWS_SECRET": "two",
    "DEPLOY_TOKEN": "three",
    "TERM": "xterm",
    "REGION": "north",
    "OTHER": "x",
}


@pytest.fixture
def down(told: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """What is taken down in these surroundings; None unsets."""

    def take(**changes: str | None) -> dict[str, Any]:
        merged = {**ENVIRON, **changes}
        environ = {name: value for name, value in merged.items() if value is not None}
        return take_down(told(BOOK).runbook, KEY, environ)

    return take


def test_what_is_taken_down_holds_no_inherited_value(down: Callable[..., dict[str, Any]]) -> None:
    found = down()
    assert (found["uid"], found["home"], found["path"]) == (os.getuid(), "/home/ada", "/usr/bin")
    assert found["env"] == {"REGION": "north"}
    assert list(found["inherited"]) == ["AWS_KEY", "AWS_SECRET", "DEPLOY_TOKEN"]
    assert not {"one", "two", "three"} & {str(value) for value in found["inherited"].values()}


def test_fingerprints_tell_names_and_values_apart(
    down: Callable[..., dict[str, Any]], told: Callable[..., Any]
) -> None:
    same = down(AWS_SECRET="one")["inherited"]
    assert same["AWS_KEY"] != same["AWS_SECRET"]
    assert same["AWS_KEY"] == down()["inherited"]["AWS_KEY"]
    assert take_down(told(BOOK).runbook, b"another", ENVIRON)["inherited"]["AWS_KEY"] != same["AWS_KEY"]


def test_equal_surroundings_are_no_difference(down: Callable[..., dict[str, Any]]) -> None:
    assert refuse_differences(down(), down(PATH="/other", OTHER="y", TERM="vt100"), [], "r1") == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"AWS_KEY": "changed"}, ["AWS_KEY"]),
        ({"DEPLOY_TOKEN": None}, ["DEPLOY_TOKEN"]),
        ({"AWS_NEW": "x", "HOME": "/root"}, ["HOME", "AWS_NEW"]),
    ],
)
def test_a_difference_is_refused_by_name_and_can_be_accepted(
    down: Callable[..., dict[str, Any]], changes: dict[str, str | None], named: list[str]
) -> None:
    with pytest.raises(Changed) as refused:
        refuse_differences(down(), down(**changes), named[1:], "r1")
    assert named[0] in refused.value.message
    assert f"durun resume r1 --accept-env {named[0]}" in refused.value.hint
    assert not any(name in refused.value.message for name in named[1:])
    assert refuse_differences(down(), down(**changes), named, "r1") == named


@pytest.mark.parametrize(("what", "name"), [("host", "HOST"), ("uid", "UID")])
def test_another_host_or_user_is_refused(down: Callable[..., dict[str, Any]], what: str, name: str) -> None:
    with pytest.raises(Changed) as refused:
        refuse_differences(down(), {**down(), what: "another"}, [], "r1")
    assert f"under another {name} ({down()[what]})" in refused.value.message


def test_every_step_gets_the_path_of_the_start_and_little_else() -> None:
    then = {"path": "/then"}
    environ = {**ENVIRON, "LC_TIME": "C", "LANG": "C.UTF-8", "LD_PRELOAD": "evil"}
    assert base_environment(then, environ) == {
        "PATH": "/then",
        "HOME": "/home/ada",
        "TERM": "xterm",
        "LC_TIME": "C",
        "LANG": "C.UTF-8",
    }


def test_names_and_globs_choose_variables_by_their_case() -> None:
    assert inherited_names(["AWS_*", "region", "AWS_KEY"], ENVIRON) == ["AWS_KEY", "AWS_SECRET"]


def test_no_glob_lets_through_what_makes_programs_run_other_code() -> None:
    caller = dict.fromkeys(["PATH", "LD_PRELOAD", "GIT_SSH", "GIT_AUTHOR_NAME", "PYTHONPATH", "HOME"], "x")
    assert inherited_names(["*"], caller) == ["GIT_AUTHOR_NAME", "HOME"]


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = fingerprint_key(tmp_path)
    assert len(first) == 32
    assert fingerprint_key(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "fingerprint.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["fingerprint.key"]
