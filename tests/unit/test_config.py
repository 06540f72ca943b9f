from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from durun.config import answers_to, check_seconds, load_config, seconds_of, whoami
from durun.errors import Unsafe, UsageError


@pytest.mark.parametrize(
    ("environ", "home"),
    [
        ({"DURUN_HOME": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"DURUN_HOME": "/a/b/../c/"}, "/a/c"),
        ({"DURUN_HOME": "~/state", "HOME": "/c"}, "/c/state"),
        ({"DURUN_HOME": "~/"}, pwd.getpwuid(os.getuid()).pw_dir),
        ({"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/durun"),
        ({"DURUN_HOME": "", "XDG_STATE_HOME": "", "HOME": "/c"}, "/c/.local/state/durun"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/c"}, "/c/.local/state/durun"),
    ],
)
def test_the_state_directory_is_found_by_the_environment(environ, home):
    assert load_config(environ).home == Path(home)


@pytest.mark.fault(40)
@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_home_the_user_database_says_where_home_is(environ):
    assert load_config(environ).home == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local/state/durun"


def test_a_relative_state_directory_is_meant_from_here():
    assert load_config({"DURUN_HOME": "here", "HOME": "/c"}).home == Path.cwd() / "here"


def test_everything_lies_in_the_state_directory():
    config = load_config({"DURUN_HOME": "/a"})
    assert config.journal_path == Path("/a/journal.db")
    assert config.run_folder("r") == Path("/a/runs/r")
    assert config.run_lock("r") == Path("/a/runs/r/lock")


def test_who_asks_is_the_kernels_word_not_the_environments(monkeypatch):
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("SUDO_UID", "1234")
    who = whoami()
    assert who["uid"] == os.getuid()
    assert who["user"] == pwd.getpwuid(os.getuid()).pw_name
    assert who["sudo_uid"] == "1234"
    assert who["host"] == os.uname().nodename
    assert set(who) == {"uid", "user", "loginuid", "login_user", "sudo_uid", "tty", "host"}


def test_a_person_answers_to_the_name_of_the_account_and_of_its_groups():
    account = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(account.pw_gid).gr_name
    asked = [
        account.pw_name,
        f"group:{group}",
        group + "-x",
        "nobody-here",
        "group:nobody-here",
        "daemon",
        "group:daemon",
    ]
    assert answers_to(os.getuid(), asked) == {account.pw_name, f"group:{group}"}
    assert answers_to(2**31 - 9, asked) == set()


def test_a_relative_state_directory_where_here_is_gone(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(Unsafe, match="DURUN_HOME=here is relative, and the working directory is gone"):
        load_config({"DURUN_HOME": "here"})


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, 5.0), ("", 5.0), ("0", 0.05), ("2", 2.0), (" 0.5 ", 0.5), ("1e2", 30.0)]
)
def test_seconds_are_set_by_the_environment(text, seconds, monkeypatch):
    if text is not None:
        monkeypatch.setenv("DURUN_STOP_GRACE", text)
    check_seconds(os.environ)
    assert seconds_of("DURUN_STOP_GRACE", 5.0, least=0.05, most=30.0) == seconds


@pytest.mark.parametrize("name", ["DURUN_STOP_GRACE", "DURUN_NOTIFY_TIMEOUT", "DURUN_TSA_TIMEOUT"])
@pytest.mark.parametrize("text", ["30s", "-1", "nan", "inf", "five", "1\x1b[2J"])
def test_what_is_no_number_of_seconds_is_named(name, text):
    with pytest.raises(UsageError) as told:
        check_seconds({name: text})
    assert told.value.message == f"{name} is to be a number of seconds, and is {text!r}"
    assert told.value.hint == f"write it as 5 or 0.5, or: unset {name}"
