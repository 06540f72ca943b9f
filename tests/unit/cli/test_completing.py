from __future__ import annotations

import os
from pathlib import Path

import pytest

from durun.cli import completing, completion_source, completion_table
from durun.cli.commands import COMMANDS
from durun.cli.completing import complete
from durun.config import load_config
from durun.model import event as ev
from durun.shells import SHELLS

from .conftest import START

ROOT = Path(__file__).parents[3]
STALE = "stale: run `python -m durun.cli.completion_source`, then `ruff format durun`"


def words(*typed: str) -> list[str]:
    return [line.partition("\t")[0] for line in complete(typed).splitlines()]


def test_the_table_is_what_the_commands_declare():
    for name, fact in completion_source.facts().items():
        assert getattr(completion_table, name) == fact, STALE


@pytest.mark.parametrize("shell", SHELLS)
def test_the_files_that_are_shipped_are_what_the_command_prints(durun, shell):
    kept = (ROOT / "completions" / SHELLS[shell].file).read_text(encoding="utf-8")
    assert durun("completion", shell).out == kept, f"stale: durun completion {shell} > completions/{SHELLS[shell].file}"


def test_there_is_none_for_another_shell(durun):
    assert durun("completion", "ksh").code == 2


def test_commands_are_offered_with_what_they_do(home):
    assert "show\tshow one run: steps, targets, attempts, what it waits for\n" in complete([""])
    assert set(words("")) == {name.partition(" ")[0] for name in COMMANDS}
    assert words("res") == ["resume"]
    assert words("secret", "") == ["set", "list", "delete", "check", "key"]
    assert words("nothing", "") == []


def test_options_are_offered_that_are_not_there_yet(home):
    assert words("show", "aaaa", "--st") == ["--step"]
    assert "--json" not in words("show", "--json", "--")
    assert "--input" in words("run", "-i", "a=b", "--")
    assert words("history", "--status", "in") == ["in_doubt", "interrupted"]
    assert words("new", "x", "--template", "") == ["blank", "rotation", "provisioning", "evidence"]
    assert words("history", "--status", "failed,in") == ["failed,in_doubt", "failed,interrupted"]
    assert words("history", "--since", "") == []


def test_files_are_the_shell_s_own(home):
    assert words("run", "") == [":runbooks"]
    assert words("validate", "a.yaml", "") == [":runbooks"]
    assert words("run", "a.yaml", "--inputs", "") == [":files"]
    assert words("run", "a.yaml", "") == []


def test_runs_have_their_names_and_the_newest_is_first(home, recorded):
    recorded.failed("aaaa")
    recorded.in_doubt("abcd", runbook="rotate")
    assert complete(["show", ""]) == "@last\tyour newest run\nabcd\trotate, in doubt\naaaa\tbackup, failed\n"
    assert words("show", "ab") == ["abcd"]
    assert words("plan", "ab") == [":runbooks", "abcd"]
    assert words("show", "abcd", "") == []


def test_steps_and_targets_are_those_of_the_run(home, recorded):
    plan = {"steps": ["dump", "rotate"], "finally_steps": ["tidy"]}
    targets = [ev.Target(key, {"name": key}) for key in ("db1", "db 2")]
    recorded("abcd", recorded.created(**plan), ev.TargetsResolved(step="rotate", targets=targets, tasks=2))
    assert words("logs", "abcd", "") == ["dump", "rotate", "tidy"]
    assert words("settle", "ab", "r") == ["rotate"]
    assert words("logs", "@last", "rotate", "--target", "") == ["db1", "db 2"]
    assert words("logs", "zz", "") == []


def test_without_a_journal_nothing_is_made(home):
    assert words("show", "") == ["@last"]
    assert not home.exists()


def test_a_damaged_journal_offers_nothing(home):
    home.mkdir()
    (home / "journal.db").write_bytes(b"no journal at all" * 1000)
    assert words("show", "") == ["@last"]


@pytest.mark.parametrize(
    "environ",
    [
        {"DURUN_HOME": "/some/where/"},
        {"DURUN_HOME": "some/where"},
        {"DURUN_HOME": "~/x/", "HOME": "/h"},
        {"XDG_STATE_HOME": "/x/y/"},
        {"XDG_STATE_HOME": "y", "HOME": "/h"},
        {"HOME": "/h"},
    ],
)
def test_the_state_directory_is_the_one_of_all_commands(monkeypatch, environ):
    for name in ("DURUN_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Path(completing._home()) == load_config(os.environ).home


def test_runbooks_that_have_runs_are_offered_by_name(recorded):
    for run, name in (("aaaa", "patch"), ("bbbb", "backup"), ("cccc", "patch"), ("dddd", "pause")):
        recorded.succeeded(run, runbook=name)
    assert words("history", "--runbook", "") == ["backup", "patch", "pause"]
    assert words("history", "--runbook", "pat") == ["patch"]


@pytest.mark.parametrize("begun", ["", "a", "ab"])
def test_runs_are_offered_the_newest_first_however_much_is_typed(recorded, begun):
    for number, run in enumerate(("abcd", "abce", "bbbb", "abca")):
        recorded.succeeded(run, at=START + number * 60)
    assert [word for word in words("show", begun) if word.startswith("ab")] == ["abca", "abce", "abcd"]
