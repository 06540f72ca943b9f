from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import subprocess

import pytest

from durun.journal.sqlite import open_journal
from durun.model import event as ev
from events import session, started

from .conftest import START

AT = "2026-01-01T00:00:02.000Z"


def line(text, stream="stdout"):
    return json.dumps({"at": AT, "stream": stream, "text": text})


def test_one_task_in_a_pipe_is_what_it_wrote(durun_process, recorded):
    recorded.succeeded("aaaa")
    recorded.log(
        "aaaa",
        1,
        line("one\ntw"),
        line("o\n"),
        json.dumps({"at": AT, "stream": "stdout", "base64": base64.b64encode(b"\xff\x00").decode()}),
    )
    process = durun_process("logs", "aaaa", stdout=subprocess.PIPE)
    assert process.communicate()[0] == b"one\ntwo\n\xff\x00"
    assert process.returncode == 0


def test_a_mark_is_a_line_of_its_own_in_a_pipe_too(durun, recorded):
    recorded.succeeded("aaaa")
    recorded.log("aaaa", 1, line("one\ntw"), line("the output is cut here", "mark"))
    assert durun("logs", "aaaa").out == "one\ntw\nthe output is cut here\n"


def test_several_tasks_are_named_on_every_line(durun, recorded):
    recorded.failed("aaaa")
    recorded.log("aaaa", 1, line("dumping\n"))
    recorded.log("aaaa", 2, line("no sp"), line("oops\n", "stderr"), line("ace"))
    assert durun("logs", "aaaa").out == "dump | dumping\ncopy | oops\ncopy | no space\n"
    assert durun("logs", "aaaa", "dump").out == "dumping\n"


def test_json_has_one_object_a_record(durun, recorded):
    recorded.succeeded("aaaa")
    recorded.log("aaaa", 1, line("one\n", "stderr"))
    assert json.loads(durun("logs", "aaaa", "--json").out) == {
        "schema": 1,
        "run": "aaaa",
        "step": "dump",
        "target": None,
        "attempt": 1,
        "at": AT,
        "stream": "stderr",
        "text": "one\n",
    }


def test_a_step_that_is_not_there_is_refused(durun, recorded):
    recorded.succeeded("aaaa")
    assert "did you mean `dump`?" in durun("logs", "aaaa", "dumb").err
    assert "there is no attempt 7" in durun("logs", "aaaa", "dump", "--attempt", "7").err


@pytest.mark.fault(34)
def test_on_a_terminal_escapes_are_shown_and_not_obeyed(recorded):
    from io import BytesIO, TextIOWrapper

    from durun.engine.local.logs import LogRecord
    from durun.model.task import TaskKey
    from durun.views.logs import LogText

    class Terminal(TextIOWrapper):
        def isatty(self):
            return True

    written = BytesIO()
    view = LogText(Terminal(written, encoding="utf-8"))
    view.record(TaskKey("dump"), 1, LogRecord(AT, "stdout", b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J\xff\r\n"))
    view.record(TaskKey("dump"), 1, LogRecord(AT, "stderr", b"oops"))
    view.close()
    shown = written.getvalue().decode()
    assert "\x1b" not in shown
    day, first, second = shown.splitlines()
    assert day == "2026-01-01"
    assert first.endswith("  red ␛]0;title␇␛[2J\\xff")
    assert second.endswith(" ! oops")


def test_on_a_terminal_the_day_is_told_only_where_it_changes():
    from io import BytesIO, TextIOWrapper

    from durun.engine.local.logs import LogRecord
    from durun.model.task import TaskKey
    from durun.views.logs import LogText

    class Terminal(TextIOWrapper):
        def isatty(self):
            return True

    written = BytesIO()
    view = LogText(Terminal(written, encoding="utf-8"), today="2026-01-02")
    for at in ("2026-01-01T12:00:00.000Z", "2026-01-01T13:00:00.000Z", "2026-01-02T12:00:00.000Z"):
        view.record(TaskKey("dump"), 1, LogRecord(at, "stdout", b"x\n"))
    view.close()
    assert [line[:10] for line in written.getvalue().decode().splitlines() if "x" not in line] == [
        "2026-01-01",
        "2026-01-02",
    ]


def test_times_stand_before_each_line_in_a_pipe_too(durun, recorded):
    recorded.failed("aaaa")
    recorded.log("aaaa", 1, line("one\ntwo"))
    recorded.log("aaaa", 2, line("three\n"))
    first, second, third = durun("logs", "aaaa", "--times").out.splitlines()
    assert (first[19:], second[19:], third[19:]) == (" dump | one", " dump | two", " copy | three")
    assert first[:19] == "2026-01-01 00:00:02"
    assert durun("logs", "aaaa", "copy", "--times").out[19:] == " three\n"


def test_a_line_that_never_ended_comes_before_what_the_next_step_wrote(durun, recorded):
    recorded.failed("aaaa")
    recorded.log("aaaa", 1, line("no line break"))
    recorded.log("aaaa", 2, line("copied\n"))
    assert durun("logs", "aaaa").out == "dump | no line break\ncopy | copied\n"


def test_what_a_verify_wrote_is_shown_as_long_as_there_is_a_doubt(durun, recorded, home):
    asked = ev.ProbeStarted(step="copy", purpose="in_doubt", folder=2, nonce="n", session=1)
    doubt = ev.TaskInDoubt(step="copy", reason="ended by signal 9")
    answer = ev.ProbeAnswered(step="copy", purpose="in_doubt", answer="unknown", reason="exit code 9")
    parked = ev.RunParked(status="in_doubt", reason="in doubt: copy")
    recorded("aaaa", recorded.created(), session(), started("copy"), doubt, asked, answer, parked)
    recorded.log("aaaa", 1, line("copying\n"))
    recorded.log("aaaa", 2, line("can't reach it\n", "stderr"))
    assert durun("logs", "aaaa").out == "copy | copying\ncopy@verify | can't reach it\n"
    assert durun("logs", "aaaa", "copy", "--attempt", "1").out == "copying\n"
    settled = ev.TaskSettled(step="copy", resolution="done", reason="looked", by={})
    with open_journal(home / "journal.db") as journal:
        journal.append("aaaa", journal.head("aaaa"), [settled], START)
    assert durun("logs", "aaaa").out == "copying\n"


def test_what_was_to_list_targets_and_could_not_is_shown(durun, recorded):
    asked = ev.ProbeStarted(step="patch", purpose="targets", folder=1, nonce="n", session=1)
    failed = ev.TaskFailed(step="patch", code="targets", reason="the targets can't be listed: exit code 3")
    recorded("aaaa", recorded.created(), session(), asked, failed, ev.RunEnded(status="failed", exit_code=1))
    recorded.log("aaaa", 1, line("inventory: refused\n", "stderr"))
    assert durun("logs", "aaaa", "patch").out == "inventory: refused\n"
    assert durun("history").out.endswith("patch: the targets can't be listed: exit code 3: inventory: refused\n")


def test_a_list_of_targets_that_was_had_is_no_output_of_the_step(durun, recorded):
    asked = ev.ProbeStarted(step="patch", purpose="targets", folder=1, nonce="n", session=1)
    fan = ev.TargetsResolved(step="patch", targets=[ev.Target("web1", "web1")], tasks=1)
    done = ev.TaskSucceeded(step="patch", target="web1", how="ran", exit_code=0)
    recorded("aaaa", recorded.created(), session(), asked, fan, started("patch", "web1", folder=2), done)
    recorded.log("aaaa", 1, line('["web1"]\n'))
    recorded.log("aaaa", 2, line("patched\n"))
    assert durun("logs", "aaaa").out == durun("logs", "aaaa", "patch").out == "patched\n"


def test_following_loses_nothing_to_a_retry(recorded, home):
    """The end of an attempt, and one that came and went between two looks, are shown too."""
    from durun.app import open_app
    from durun.cli.logs import Reader

    begun = (recorded.created(), session(), started("copy"))
    recorded("aaaa", *begun)
    recorded.log("aaaa", 1, line("1 begins\n"))

    def failed(number):
        return ev.TaskFailed(step="copy", code="exit", reason="exit code 1", exit_code=1, how="ran")

    with open_app(read_only=True) as app:
        reader = Reader(app, "aaaa", None, None, None)

        def read():
            return b"".join(record.data for _, records in reader.news() for record in records)

        assert read() == b"1 begins\n"
        with (home / "runs" / "aaaa" / "attempts" / "1" / "log").open("a") as log:
            log.write(line("1 ends\n") + "\n")
        retried = ev.TaskRetried(step="copy", due=0.0)
        with open_journal(home / "journal.db") as journal:
            head = journal.head("aaaa")
            for number in (2, 3):
                recorded.log("aaaa", number, line(f"{number}\n"))
                again = [failed(number), retried, started("copy", attempt=number, folder=number)]
                head = journal.append("aaaa", head, again, 2_000_000_000.0)
        reader.look()
        assert read() == b"1 ends\n2\n3\n"
        assert read() == b""


def test_following_goes_on_until_nobody_drives_the_run(durun_process, recorded, home):
    recorded.running("aaaa")
    recorded.log("aaaa", 1, line("one\n"))
    log = home / "runs" / "aaaa" / "attempts" / "1" / "log"
    with open(home / "runs" / "aaaa" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = durun_process("logs", "aaaa", "dump", "-f", stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"one\n"
        with log.open("a") as file:
            file.write(line("two\n") + "\n")
        assert process.stdout.readline() == b"two\n"
        assert process.poll() is None
    assert process.communicate()[0] == b""
    assert process.returncode == 0


def test_on_a_terminal_following_outlives_a_run_that_nobody_drives(durun_process, recorded, home):
    recorded.running("aaaa")
    recorded.log("aaaa", 1, line("one\n"))
    ours, theirs = pty.openpty()
    process = durun_process("logs", "aaaa", "-f", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    said = process.stderr
    assert said.readline() == b"durun: nobody drives the run any more; what is written comes all the same\n"
    assert said.readline() == b"  hint: durun resume aaaa elsewhere goes on with it; Ctrl-C ends this\n"
    with (home / "runs" / "aaaa" / "attempts" / "1" / "log").open("a") as log:
        log.write(line("two\n") + "\n")
    shown = b""
    while b"two" not in shown:
        shown += os.read(ours, 4096)
    with open_journal(home / "journal.db") as journal:
        journal.append("aaaa", journal.head("aaaa"), [session(2), ev.RunEnded(status="failed", exit_code=1)], START)
    assert process.wait() == 0
    assert said.read() == b""
    said.close()
    os.close(ours)
