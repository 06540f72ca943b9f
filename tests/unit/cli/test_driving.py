"""`run` and `resume`: what is asked of the engine, and what is said. The engine here is a stand-in."""

from __future__ import annotations

import errno
import io
import json
import os

import pytest

from durun.errors import Busy, StorageFailed
from durun.journal.api import SequenceConflict
from durun.model import event as ev
from events import started

from .stand_in import BOOK, Engine


def test_a_run_prints_its_events_and_how_it_ended(durun, engine, book):
    ran = durun("run", str(book), "-i", "role=web")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "run run-1 of backup",
        "00:00:00 dump started",
        "00:00:00 dump succeeded in 0.0s",
        "run run-1 of backup succeeded after 0.0s: 1 succeeded",
        "  path = /x",
    ]
    (request,) = engine.asked
    assert request.inputs == {"role": "web"}
    assert request.source.place == str(book.parent)
    assert request.by["uid"] == os.getuid()


def test_a_failed_run_says_what_to_type(durun, engine, book):
    engine.outcome = "failed"
    ran = durun("run", str(book))
    assert ran.code == 1
    assert "00:00:00 dump FAILED: exit code 7 (after 0.0s)" in ran.out
    assert ran.out.endswith("  next: durun logs run-1 dump\n        durun resume run-1\n")


def test_quiet_says_nothing_about_what_went_well(durun, engine, book):
    assert durun("run", str(book), "-q") == (0, "", "")
    engine.outcome = "failed"
    assert durun("run", str(book), "-q").out.splitlines()[0] == "00:00:00 dump FAILED: exit code 7 (after 0.0s)"


@pytest.mark.parametrize(("outcome", "code"), [("succeeded", 0), ("failed", 1), ("in_doubt", 3)])
def test_json_ends_with_run_ended_however_the_run_was_left(durun, engine, book, outcome, code):
    engine.outcome = outcome
    ran = durun("run", str(book), "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == code
    assert lines[0]["event"] == "task_started"
    assert (lines[0]["run"], lines[0]["step"], lines[0]["target"], lines[0]["attempt"]) == ("run-1", "dump", None, 1)
    assert "secret-nonce" not in ran.out
    assert all(line["schema"] == 1 for line in lines)
    assert [line["event"] for line in lines].count("run_ended") == 1
    assert (lines[-1]["event"], lines[-1]["status"], lines[-1]["exit_code"]) == ("run_ended", outcome, code)


def test_json_ends_with_run_ended_when_the_disk_is_full(durun, engine, book):
    engine.error = StorageFailed("the disk is full", "make room, then durun resume run-1")
    ran = durun("run", str(book), "--json")
    assert ran.code == 8
    last = json.loads(ran.out.splitlines()[-1])
    assert (last["event"], last["status"], last["exit_code"]) == ("run_ended", "interrupted", 8)
    assert json.loads(ran.err)["error"]["code"] == "storage_failed"


@pytest.mark.parametrize(("cause", "code"), [(None, 8), (OSError(errno.EMFILE, "Too many open files"), 4)])
def test_the_last_line_has_the_exit_code_of_the_process(durun, engine, book, cause, code):
    engine.error = StorageFailed("the lock can't be opened", "see to the disk, then try again")
    engine.error.__cause__ = cause
    ran = durun("run", str(book), "--json")
    assert ran.code == json.loads(ran.out.splitlines()[-1])["exit_code"] == code


def test_that_of_an_internal_error_too(durun, engine, book):
    engine.error = ValueError("a bug")
    ran = durun("run", str(book), "--json")
    assert ran.code == json.loads(ran.out.splitlines()[-1])["exit_code"] == 70


def test_an_invalid_runbook_is_reported_and_nothing_is_started(durun, engine, book, home):
    book.write_text(BOOK.replace("run: echo dump", "runn: echo dump"), encoding="utf-8")
    ran = durun("run", str(book))
    assert ran.code == 2
    assert "backup.yaml:7:" in ran.err
    assert ran.err.splitlines()[-1].startswith("  hint: ")
    assert engine.asked == []


def test_a_wrong_input_is_refused(durun, engine, book):
    ran = durun("run", str(book), "-i", "rolle=x")
    assert ran.code == 2
    assert "did you mean `role`?" in ran.err


def test_the_same_request_twice_is_the_same_run(durun, engine, book):
    engine.outcome = "failed"
    assert durun("run", str(book), "--request-id", "key").code == 1
    again = durun("run", str(book), "--request-id", "key")
    assert again.code == 1
    assert "run run-1 of backup failed" in again.out
    assert len(engine.asked) == 1


def test_of_two_requests_at_the_same_moment_one_is_started(durun, engine, book, monkeypatch):
    start = Engine.start

    def beaten(self, request, observer):
        start(self, request, observer)
        raise SequenceConflict("another run was started with the request id key")

    monkeypatch.setattr(Engine, "start", beaten)
    ran = durun("run", str(book), "--request-id", "key", "-q")
    assert (ran.code, ran.err) == (0, "")


def test_of_two_starts_by_cron_at_the_same_moment_one_is_started(durun, engine, book, monkeypatch):
    start = Engine.start

    def beaten(self, request, observer):
        assert request.alone
        engine.outcome = "failed"
        start(self, request, observer)
        raise SequenceConflict("another run is there already")

    monkeypatch.setattr(Engine, "start", beaten)
    ran = durun("run", str(book), "--resume-or-start")
    assert ran.code == 1
    assert "nothing was started: run run-1 of the same inputs is not finished" in ran.out
    assert len(engine.asked) == 1


def test_the_same_request_with_other_inputs_is_refused(durun, engine, book):
    durun("run", str(book), "--request-id", "key")
    ran = durun("run", str(book), "--request-id", "key", "-i", "role=web")
    assert ran.code == 10
    assert "request id key was used for run run-1, with other inputs" in ran.err


@pytest.mark.parametrize("outcome", ["failed", "in_doubt"])
def test_cron_starts_nothing_beside_a_run_that_needs_a_person(durun, engine, book, outcome):
    engine.outcome = outcome
    first = durun("run", str(book), "--resume-or-start")
    again = durun("run", str(book), "--resume-or-start")
    assert again.code == first.code
    assert "nothing was started: run run-1 of the same inputs is not finished" in again.out
    assert len(engine.asked) == 1


def test_cron_goes_on_with_an_interrupted_run_and_starts_a_new_one_after_it(durun, engine, book):
    engine.error = StorageFailed("the disk is full")
    durun("run", str(book), "--resume-or-start")
    engine.error = None
    assert durun("run", str(book), "--resume-or-start").code == 0
    assert engine.asked[1].run_id == "run-1"
    assert not engine.asked[1].fresh
    assert durun("run", str(book), "--resume-or-start").code == 0
    assert engine.asked[2].source.runbook.name == "backup"


def test_cron_with_failed_goes_on_with_a_failed_run(durun, engine, book):
    engine.outcome = "failed"
    durun("run", str(book))
    durun("run", str(book), "--resume-or-start", "--failed")
    assert (engine.asked[1].run_id, engine.asked[1].fresh) == ("run-1", True)


@pytest.mark.fault(13)
def test_a_finished_run_is_said_to_be_finished(durun, engine, recorded):
    recorded.succeeded("aaaa")
    assert durun("resume", "aaaa") == (0, "run aaaa has ended: succeeded; there is nothing to resume\n", "")
    assert engine.asked == []


@pytest.mark.fault(27)
def test_a_changed_runbook_is_told_and_the_stored_one_is_used(durun, engine, recorded, book):
    recorded.running("aaaa", text=BOOK, file="backup.yaml", place=str(book.parent))
    assert "differs" not in durun("resume", "aaaa").out
    recorded.running("bbbb", text=BOOK, file="backup.yaml", place=str(book.parent))
    book.write_text(BOOK + "# edited\n", encoding="utf-8")
    out = durun("resume", "bbbb").out
    assert f"{book} differs from what this run was started with; the stored runbook is used" in out
    assert engine.asked[1].change is None


@pytest.mark.fault(27)
def test_latest_takes_the_file_as_it_is_now(durun, engine, recorded, book):
    recorded.running("aaaa", file="backup.yaml", place=str(book.parent))
    durun("resume", "aaaa", "--latest")
    assert engine.asked[0].change.runbook.text == BOOK


def test_all_takes_up_interrupted_runs_oldest_first_and_no_failed_ones(durun, engine, recorded):
    recorded.running("aaaa")
    recorded.failed("bbbb")
    recorded.running("cccc")
    recorded.in_doubt("dddd")
    engine.error = Busy("taken up meanwhile")
    assert durun("resume", "--all").code == 0
    assert sorted(request.run_id for request in engine.asked) == ["aaaa", "cccc"]
    assert not any(request.fresh for request in engine.asked)
    engine.asked.clear()
    durun("resume", "--all", "--failed")
    assert sorted(request.run_id for request in engine.asked) == ["aaaa", "bbbb", "cccc"]


@pytest.mark.fault(43)
def test_all_leaves_alone_what_another_one_ended_meanwhile(durun, engine, recorded, monkeypatch):
    """Two cron jobs at once: the list of the slower one is old by the time that it comes to a run."""
    recorded.running("aaaa")
    recorded.running("bbbb")
    drive = engine._drive

    def drive_and_end_others(run_id, observer):
        for other in {"aaaa", "bbbb"} - {run_id}:
            head = engine.app.journal.head(other)
            engine.app.journal.append(other, head, [ev.RunEnded(status="failed", exit_code=1)], 1_767_225_600.0)
        return drive(run_id, observer)

    monkeypatch.setattr(engine, "_drive", drive_and_end_others)
    engine.error = Busy("taken up meanwhile")
    assert durun("resume", "--all").code == 0
    assert len(engine.asked) == 1


def test_all_with_nothing_due_is_silent(durun, engine, recorded):
    recorded.succeeded("aaaa")
    recorded.failed("bbbb")
    assert durun("resume", "--all") == (0, "", "")


def test_all_goes_on_after_an_error_and_ends_with_the_worst_code(durun, engine, recorded):
    recorded.running("aaaa")
    recorded.running("bbbb")
    engine.error = StorageFailed("the disk is full")
    ran = durun("resume", "--all")
    assert ran.code == 8
    assert ran.err.count("durun: the disk is full") == 2


def test_resume_without_a_name_takes_the_newest_unfinished_run(durun, engine, recorded, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert durun("resume").code == 2
    recorded.in_doubt("aaaa")
    refused = durun("resume")
    assert refused.code == 2 and "hint: durun resume aaaa, or give --all" in refused.err and engine.asked == []
    monkeypatch.setenv("DURUN_LAST_OK", "1")
    assert durun("resume").code == 0
    assert engine.asked[0].run_id == "aaaa"


def test_validate_tells_every_error_of_every_file(durun, book, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(BOOK.replace("run:", "runn:").replace("role:", "Role!:"), encoding="utf-8")
    ran = durun("validate", str(book), str(wrong), str(tmp_path / "missing.yaml"))
    assert ran.code == 2
    assert f"{book}: ok\n" in ran.out
    assert ran.out.count("wrong.yaml:") >= 2
    assert "there is no file" in ran.out
    shown = json.loads(durun("validate", "--json", str(book), str(wrong)).out)
    assert shown["schema"] == 1
    assert [file["valid"] for file in shown["files"]] == [True, False]


def test_validate_of_good_files_is_0(durun, book):
    assert durun("validate", str(book)) == (0, f"{book}: ok\n", "")


def test_all_takes_up_a_run_whose_doubts_are_settled(durun, engine, recorded):
    doubt = [recorded.created(), *_doubt("rotate")]
    recorded("aaaa", *doubt, ev.TaskSettled(step="rotate", resolution="not_done", reason="looked", by={}))
    recorded("bbbb", *doubt)
    engine.error = Busy("taken up meanwhile")
    durun("resume", "--all")
    assert [request.run_id for request in engine.asked] == ["aaaa"]


def _doubt(step):
    yield started(step)
    yield ev.TaskInDoubt(step=step, reason="ended by signal 9")
    yield ev.RunParked(status="in_doubt", reason="in doubt")
