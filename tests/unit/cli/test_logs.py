from __future__ import annotations

import base64
import fcntl
import json
import subprocess

import pytest

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
    assert shown.splitlines()[0].endswith("  red ␛]0;title␇␛[2J\\xff")
    assert shown.splitlines()[1].endswith(" ! oops")


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
