import os
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def waiting(operator):
    """A run whose step waits: (the process, let the step end)."""
    up, down = operator.fifo("up"), operator.fifo("down")
    kept = os.open(down, os.O_RDWR)
    process = operator.start("run", "waits.yaml")
    assert up.read_text() == "up\n"
    yield process, lambda: os.write(kept, b"\n")
    os.write(kept, b"\n")
    os.close(kept)


@pytest.mark.parametrize(("codes", "exit_code"), [("[0]", 0), ("[0,1]", 1), ("[0,76]", 3), ("[1,76,2]", 3)])
def test_succeeded_failed_in_doubt(operator, codes, exit_code):
    operator("run", "runbook.yaml", "-i", f"codes={codes}", code=exit_code)


def test_a_doubt_before_what_could_not_start_before_a_failure(operator):
    operator("run", "mixed.yaml", code=4)
    operator("run", "mixed.yaml", "-i", "doubt=true", code=3)


@pytest.mark.parametrize(
    "command",
    [
        ("run",), ("run", "nowhere.yaml"), ("run", "runbook.yaml", "-i", "x=1"), ("run", "runbook.yaml", "--wrong"),
        ("show", "zzz"), ("resume", "zzz"), ("cancel", "zzz", "--reason", "x"), ("logs", "zzz"), ("nonsense",),
        ("history", "--status", "nonsense"), ("history", "--since", "soon"),
    ],
)  # fmt: skip
def test_usage(operator, command):
    said = operator(*command, code=2)
    assert said.err.startswith("durun: ")
    assert said.out == ""


def test_near_matches_of_a_run(operator):
    operator("run", "runbook.yaml")
    run = operator.show()["id"]
    wrong = run[:-1] + ("2" if run[-1] != "2" else "3")
    assert run in operator("show", wrong, code=2).err
    assert operator("show", run[:6], "--json").json["id"] == run


def test_a_damaged_journal_is_refused_and_left_untouched(operator):
    operator("run", "runbook.yaml")
    journal = operator.home / "journal.db"
    journal.write_bytes(journal.read_bytes()[:5000])
    before = journal.read_bytes()
    for command in (("run", "runbook.yaml"), ("history",), ("show", "@last")):
        operator(*command, code=7)
    assert journal.read_bytes() == before


@pytest.mark.fault(24)
def test_a_journal_without_one_of_its_tables_is_damaged(operator):
    operator("run", "runbook.yaml")
    with closing(sqlite3.connect(operator.home / "journal.db")) as journal:
        journal.execute("DROP TABLE task")
    for command in (("run", "runbook.yaml"), ("history",), ("show", "@last"), ("verify",)):
        assert "tables" in operator(*command, code=7).err


@pytest.mark.fault(24)
def test_a_run_does_not_go_on_by_a_runbook_that_was_changed_in_the_journal(operator):
    operator("run", "mixed.yaml", code=4)
    run = operator.show()["id"]
    with closing(sqlite3.connect(operator.home / "journal.db")) as journal:
        for (trigger,) in journal.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            journal.execute(f"DROP TRIGGER {trigger}")
        journal.execute("UPDATE event SET body = replace(body, 'durun: 1', 'durun: 2') WHERE sequence = 1")
        journal.commit()
    for command in (("resume", run), ("show", run), ("plan", run)):
        assert f"event 1 of run {run} is not what was written" in operator(*command, code=7).err


@pytest.mark.fault(24)
@pytest.mark.parametrize("gone", [True, False])
def test_a_journal_that_is_lost_is_not_begun_anew(operator, gone):
    operator("run", "runbook.yaml", "--request-id", "once")
    journal = operator.home / "journal.db"
    journal.unlink()
    if not gone:
        journal.touch(mode=0o600)
    for command in (("run", "runbook.yaml", "--request-id", "once"), ("history",), ("resume", "--all"), ("verify",)):
        said = operator(*command, code=7)
        assert said.err.startswith("durun: the journal ")
    assert "journal" in operator("doctor", code=7).out
    operator.home.rename(operator.home.with_name("lost"))  # as the hint says
    operator("run", "runbook.yaml", "--request-id", "once")


def test_a_place_that_cannot_be_written(operator):
    operator("history")
    operator("run", "runbook.yaml", whole=True)
    shutil.rmtree(operator.home / "runs")
    (operator.home / "runs").write_text("")
    operator("run", "runbook.yaml", code=8)
    assert len(operator("history", "--json").json) == 1


def test_another_process_drives_it(operator, waiting):
    process, let_go = waiting
    said = operator("resume", "@last", code=11)
    assert str(process.pid) in said.err
    assert operator("resume", "@last", "--json", code=11).err.startswith('{"error"')
    let_go()
    assert process.wait() == 0


@pytest.mark.fault(14)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_once_when_told_twice_and_the_step_is_adopted(operator, waiting, number):
    process, let_go = waiting
    process.send_signal(number)
    if number == signal.SIGINT:
        while "Ctrl-C again" not in process.stdout.readline():
            pass
        process.send_signal(number)
    assert process.wait() == 128 + number
    assert "running steps go on" in process.stdout.read()
    let_go()
    operator("resume", "@last")
    assert operator.read("effects") == "done\nafter\n"
    assert operator.tasks()["waits", None]["how"] == "adopted"


@pytest.mark.fault(14)
def test_the_first_ctrl_c_lets_what_runs_end_and_starts_nothing_more(operator, waiting):
    process, let_go = waiting
    process.send_signal(signal.SIGINT)
    while "Ctrl-C again" not in process.stdout.readline():
        pass
    let_go()
    assert process.wait() == 130
    assert "go on" not in process.stdout.read()  # nothing runs any more
    assert operator.read("effects") == "done\n"
    assert operator.show()["status"] == "interrupted"
    operator("resume", "@last")
    assert operator.read("effects") == "done\nafter\n"


@pytest.mark.fault(23)
def test_a_state_directory_that_others_can_read(operator):
    operator("run", "runbook.yaml")
    operator.home.chmod(0o755)
    said = operator("run", "runbook.yaml", code=13)
    assert "chmod" in said.err
    operator.home.chmod(0o700)
    assert len(operator("history", "--json").json) == 1


@pytest.mark.fault(23)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_state_directory_of_another_user(operator):
    operator("run", "runbook.yaml")
    for file in [*operator.home.iterdir(), operator.home]:
        os.chown(file, 12345, -1)
    for command in (("run", "runbook.yaml"), ("resume", "--all"), ("history",), ("verify",)):
        assert "belongs to another user (uid 12345)" in operator(*command, code=13).err


@pytest.mark.fault(23)
def test_a_file_in_the_place_of_the_state_directory(operator):
    operator.home.touch()
    for command in (("run", "runbook.yaml"), ("history",), ("show", "@last"), ("verify",)):
        assert f"{operator.home} is no folder" in operator(*command, code=13).err


@pytest.mark.fault(23)
def test_a_lock_that_is_a_link_is_refused_with_the_command_that_mends_it(operator):
    operator("run", "runbook.yaml")
    lock = operator.home / "journal.lock"
    lock.unlink()
    lock.symlink_to("elsewhere")
    said = operator("run", "runbook.yaml", code=13)
    assert said.err == f"durun: {lock} is a symbolic link\n  hint: remove it: rm {lock}\n"
    assert not (operator.home / "elsewhere").exists()
    lock.unlink()
    operator("run", "runbook.yaml")


def test_last_is_refused_off_a_terminal_where_it_decides(operator):
    operator("run", "runbook.yaml", "-i", "codes=[1]", code=1)
    del operator.environment["DURUN_LAST_OK"]
    for command in (
        ("resume", "@last"),
        ("cancel", "@last", "--reason", "x"),
        ("settle", "@last", "each", "--done", "--reason", "x"),
    ):
        assert "DURUN_LAST_OK" in operator(*command, code=2).err
    operator("show", "@last")


@pytest.mark.parametrize(
    "command",
    [
        ("show", "\udcff"), ("logs", "\udcff"), ("history", "--runbook", "\udcff"),
        ("run", "runbook.yaml", "--request-id", "\udcff"),
        ("run", "runbook.yaml", "-t", "ok", "-t", "\udcff"), ("settle", "x", "y", "--done", "--reason", "\udcff"),
    ],
    ids=ascii,
)  # fmt: skip
def test_bytes_that_are_no_text(operator, command):
    assert "not text in UTF-8" in operator(*command, code=2).err


def test_a_file_may_be_named_by_bytes_that_are_no_text(operator):
    name = "runbook-\udcff.yaml"
    shutil.copy(operator.place / "runbook.yaml", operator.place / name)
    operator("run", name)
    operator("history")


@pytest.mark.parametrize("command", ["show", "graph", "run", "validate", "new"])
@pytest.mark.parametrize("word", ["\x1b[2Jx.yaml", "\u202ex.yaml", "x" * 5000], ids=["escape", "bidi", "too long"])
def test_what_was_typed_is_not_obeyed_by_a_terminal(operator, command, word):
    said = operator(command, word, code=2)
    shown = said.out + said.err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
