from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess

import pytest

from durun import config
from durun.cli.history import parse_since
from durun.errors import UsageError
from durun.model import event as ev

START = 1_767_225_600.0


def test_without_runs_nothing_is_said(durun, home):
    assert durun("history") == (0, "", "")
    assert not home.exists()


def test_runs_are_listed_newest_first_with_status_and_tasks(durun, recorded):
    recorded.succeeded("aaaa", runbook="backup")
    recorded.failed("bbbb", runbook="restore")
    lines = durun("history").out.splitlines()
    assert lines[0].split() == ["RUN", "RUNBOOK", "STATUS", "STARTED", "TOOK", "TASKS", "WHY"]
    assert lines[1].split()[:3] == ["bbbb", "restore", "failed"]
    assert lines[1].endswith("1/2, 1 failed  copy: exit code 7")
    assert lines[2].split()[:3] == ["aaaa", "backup", "succeeded"]
    assert lines[2].endswith("1/1")


def test_a_run_whose_process_is_gone_is_interrupted(durun, recorded):
    recorded.running("aaaa")
    assert json.loads(durun("history", "--json").out)[0]["status"] == "interrupted"


def test_a_run_whose_lock_is_held_is_running(durun, recorded, home):
    recorded.running("aaaa")
    folder = home / "runs" / "aaaa"
    folder.mkdir(parents=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert json.loads(durun("history", "--json").out)[0]["status"] == "running"
        assert durun("history", "--status", "interrupted").out == ""


def test_json_has_the_documented_shape(durun, recorded):
    recorded.failed("aaaa")
    (run,) = json.loads(durun("history", "--json").out)
    assert run == {
        "schema": 1,
        "id": "aaaa",
        "runbook": "backup",
        "status": "failed",
        "started_at": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:00:06.000Z",
        "exit_code": 1,
        "concurrency_group": None,
        "tasks": {
            "total": 2,
            "pending": 0,
            "skipped": 0,
            "waiting": 0,
            "running": 0,
            "succeeded": 1,
            "failed": 1,
            "cancelled": 0,
            "in_doubt": 0,
            "rolled_back": 0,
        },
        "reason": "",
        "why": "copy: exit code 7",
        "because": [
            {
                "step": "copy",
                "target": None,
                "status": "failed",
                "reason": "exit code 7",
                "said": "",
                "changed_at": "2026-01-01T00:00:05.000Z",
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), ["bbbb", "dddd", "cccc", "aaaa"]),
        (("--status", "interrupted"), ["dddd"]),
        (("--status", "failed", "--status", "succeeded"), ["bbbb", "cccc", "aaaa"]),
        (("--status", "failed,succeeded"), ["bbbb", "cccc", "aaaa"]),
        (("--status", "in-doubt"), []),
        (("--runbook", "other"), ["cccc"]),
        (("--limit", "2"), ["bbbb", "dddd"]),
        (("--limit", "0"), ["bbbb", "dddd", "cccc", "aaaa"]),
        (("--since", "2026-01-02"), ["bbbb"]),
    ],
)
def test_filters(durun, recorded, arguments, found):
    recorded.succeeded("aaaa")
    recorded.succeeded("bbbb", at=START + 2 * 86400)
    recorded.failed("cccc", runbook="other")
    recorded.running("dddd")
    assert [run["id"] for run in json.loads(durun("history", "--json", *arguments).out)] == found


def test_an_unknown_status_is_refused_with_the_one_that_was_meant(durun):
    assert durun("history", "--status", "failled").err == (
        "durun: `failled` is not a status\n  hint: did you mean `failed`?\n"
    )


@pytest.mark.parametrize(
    ("text", "at"), [("7d", -7 * 86400), ("12h", -12 * 3600), ("30m", -1800), ("5s", -5), ("2w", -14 * 86400)]
)
def test_a_span_of_time_is_counted_back_from_now(text, at):
    assert parse_since(text, START) == START + at


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "9999999999d"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError):
        parse_since(text, START)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_on_a_terminal_no_line_is_wider_than_it(durun_process, recorded, columns):
    recorded.failed("20260101t000000-aaaaaaaa", runbook="a-runbook-with-quite-a-long-name")
    text = _on_terminal(durun_process, columns, "history")
    lines = text.splitlines()
    assert all(len(line) <= columns for line in lines)
    (line,) = [line for line in lines if line.startswith("20260101t000000-aaaaaaaa")]
    assert "failed" in line
    assert any(line.endswith("copy: exit code 7") for line in lines)


@pytest.mark.parametrize("without", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_colours_are_for_terminals_that_have_them(durun_process, recorded, without):
    recorded.failed("aaaa")
    for command, coloured in (
        (("history",), "\x1b[31mfailed\x1b[0m"),
        (("show", "aaaa"), "status     \x1b[31mfailed\x1b[0m"),
    ):
        assert coloured in _on_terminal(durun_process, 80, *command, NO_COLOR="")
        assert "\x1b" not in _on_terminal(durun_process, 80, *command, **{"NO_COLOR": "", **without})


def waiting(recorded, run_id, kind, asked, **by):
    asked = {**asked, "nonce": "n", "digest": "d", "fields": {}}
    facts = {"by": {"uid": os.getuid(), "user": "alice", "host": "ops1", **by}}
    return recorded(
        run_id,
        recorded.created(**facts),
        ev.TaskWaiting(step="ask", kind=kind, until=None, asked=asked),
        ev.RunParked(status="waiting", reason="for people: ask"),
    )


def test_what_waits_for_whoever_asks_is_found_and_marked(durun, recorded):
    approval = {"message": "Go?", "approvers": [config.user_name(os.getuid())], "min_approvals": 1}
    waiting(recorded, "aaaa", "approval", {**approval, "allow_requester": True})
    waiting(recorded, "bbbb", "approval", {**approval, "allow_requester": False})  # nobody approves of their own run
    waiting(recorded, "cccc", "manual", {"instructions": "Swap the disk."})
    recorded.in_doubt("dddd")
    recorded.failed("eeee")
    runs = json.loads(durun("history", "--for-me", "--json").out)
    assert [run["id"] for run in runs] == ["dddd", "cccc", "aaaa"]
    assert [run["because"][0].get("for_you") for run in runs] == [None, True, True]
    lines = durun("history").out.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("(you may)")] == ["aaaa"]
    assert json.loads(durun("history", "--for-me", "--status", "failed", "--json").out) == []
    assert len(durun("history", "--for-me", "--limit", "2").out.splitlines()) == 3


def test_on_a_terminal_it_is_said_what_to_type_next(durun_process, recorded):
    waiting(recorded, "aaaa", "manual", {"instructions": "Swap the disk."})
    recorded.in_doubt("bbbb")
    recorded.failed("cccc")
    assert _on_terminal(durun_process, 120, "history").splitlines()[-1] == (
        "2 of these for you to see to: durun history --for-me"
    )
    assert _on_terminal(durun_process, 120, "history", "--limit", "1").splitlines()[-2:] == [
        "not shown: 1 in doubt, 1 waiting: durun history --status in_doubt,waiting",
        "older ones: --limit 0",
    ]
    assert "--limit" not in _on_terminal(durun_process, 120, "history", "--limit", "3")
    assert _on_terminal(durun_process, 120, "history", "--for-me").splitlines()[-1] == "next: durun show bbbb"


def test_on_a_terminal_a_runbook_without_runs_is_told_from_one_with_a_name_like_it(durun_process, recorded):
    recorded.failed("aaaa", runbook="backup-databases")
    process = durun_process("history", "--runbook", "backup", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate() == (b"", b"")
    ours, theirs = pty.openpty()
    process = durun_process("history", "--runbook", "backup", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert process.communicate()[1] == b"durun: no run is like that; did you mean `backup-databases`?\n"
    os.close(ours)


def _on_terminal(durun_process, columns, *argv, **env):
    ours, theirs = pty.openpty()
    env = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1", **env}
    process = durun_process(*argv, stdout=theirs, env=env)
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 4096):
            parts.append(part)
    except OSError:
        pass  # Linux: the other side is closed
    os.close(ours)
    assert process.wait() == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.mark.fault(13)
def test_last_is_this_users_newest_run(durun, recorded):
    recorded.succeeded("aaaa")
    recorded.succeeded("bbbb", by={"uid": os.getuid() + 1, "user": "eve", "host": "ops1"})
    assert durun("show", "@last").out.startswith("run        aaaa\n")
