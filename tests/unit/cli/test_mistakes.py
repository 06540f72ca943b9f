"""What somebody reads who has never seen durun, and types what other tools would take."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from durun.cli.commands import overview


def told(ran) -> tuple[int, str, str]:
    """Exit code, cause and hint: each is one line, and there is nothing else."""
    cause, hint = ran.err.splitlines()
    assert ran.out == ""
    return ran.code, cause.removeprefix("durun: "), hint.removeprefix("  hint: ")


@pytest.mark.parametrize(
    ("words", "cause", "hint"),
    [
        ("histroy", "there is no command `histroy`", "did you mean `durun history`?"),
        ("list", "there is no command `list`", "did you mean `durun history`?"),
        ("status", "there is no command `status`", "did you mean `durun show @last`?"),
        ("stop x", "there is no command `stop`", 'did you mean `durun cancel RUN --reason "…"`?'),
        ("init", "there is no command `init`", "did you mean `durun new NAME`?"),
        ("version", "there is no command `version`", "did you mean `durun --version`?"),
        ("-V", "there is no option -V before the command", "did you mean `durun --version`?"),
        ("rotate.yaml", "there is no command `rotate.yaml`", "did you mean `durun run rotate.yaml`?"),
        ("mqczv9hckw", "there is no command `mqczv9hckw`", "did you mean `durun show mqczv9hckw`?"),
        ("--json history", "there is no option --json before the command",
         "options stand behind the command: `durun history --json`"),
        ("--jsn", "there is no option --jsn before the command", "durun --help"),
        ("qqqqq", "there is no command `qqqqq`", "durun --help lists them"),
        ("help histroy", "there is no command `histroy`", "did you mean `durun history`?"),
        ("secret sett a b", "there is no command `secret sett`", "did you mean `durun secret set`?"),
        ("secret nonsense", "there is no command `secret nonsense`", "durun secret --help lists them"),
        ("history --jso", "durun history has no option --jso", "did you mean `--json`?  durun history --help"),
        ("run x.yaml --dry-run", "durun run has no option --dry-run",
         "`durun plan` shows what would happen, and runs nothing  durun run --help"),
        ("run x.yaml --qqq", "durun run has no option --qqq", "durun run --help"),
        ("run", "RUNBOOK is missing", "the runbook's file; `durun new NAME` writes a first one  durun run --help"),
        ("show", "RUN is missing", "the run: its id, the beginning of it, or @last  durun show --help"),
        ("run x.yaml -i", "the value of -i is missing", "an input; may be repeated  durun run --help"),
        ("history --json=1", "--json takes no value", "durun history --help"),
        ("run x.yaml host=a", "durun run has no place for `host=a`",
         "inputs are given with -i NAME=VALUE  durun run --help"),
        ("history a b", "durun history has no place for `a b`", "durun history --help"),
        ("history --limit many", "--limit takes a whole number from 0 on", None),
        ("logs x --attempt 0", "--attempt takes a whole number from 1 on", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_mistake_is_one_line_of_cause_and_one_of_what_to_do(durun, words, cause, hint):
    code, said, next_ = told(durun(*words.split()))
    assert (code, said) == (2, cause)
    assert hint is None or next_ == hint


def test_a_mistake_is_json_with_json(durun):
    ran = durun("show", "--json", "a", "b")
    assert (ran.code, ran.out) == (2, "")
    assert json.loads(ran.err)["error"] == {
        "code": "usage",
        "message": "durun show has no place for `b`",
        "hint": "durun show --help",
    }


def test_what_begins_with_an_at_sign_was_to_be_the_newest_run(durun):
    assert told(durun("show", "@lst")) == (2, "no run @lst", "`@last` is your newest run")


@pytest.mark.parametrize("name", ["backup", "backup.yaml", "books/backup.yml"])
def test_the_name_of_a_runbook_is_no_run(durun, recorded, name):
    recorded.succeeded("aaaa")
    code, cause, hint = told(durun("show", name))
    assert (code, cause) == (2, f"{name} is a runbook, and no run")
    assert hint == "its runs: durun history --runbook backup"


@pytest.mark.parametrize("command", [("show", "aaaa", "--step"), ("logs", "aaaa")], ids=["show", "logs"])
def test_a_step_that_is_not_there_is_told_from_a_target_that_is_not(durun, recorded, command):
    recorded.in_doubt("aaaa", ["db1", "db2"])
    assert told(durun(*command, "rotat")) == (2, "run aaaa has no step rotat", "did you mean `rotate`?")
    nothing_near = (2, "run aaaa has no step zzz", "`durun show aaaa` lists what there is")
    assert told(durun(*command, "zzz")) == nothing_near
    wrong = told(durun(*command, "rotate", "--target", "db3"))
    assert wrong == (2, "step rotate has no target db3", "did you mean `db2` or `db1`?")


@pytest.mark.parametrize("command", [("settle", "--done", "--reason", "x"), ("approve",)], ids=["settle", "approve"])
def test_what_is_said_of_a_step_that_is_not_there_does_not_hang_in_the_air(durun, recorded, command):
    recorded.succeeded("aaaa")
    code, cause, hint = told(durun(command[0], "aaaa", "zzz", *command[1:]))
    assert (code, cause) == (2, "run aaaa has no step zzz")
    assert hint.removeprefix("nothing is in doubt: ") == "`durun show aaaa` says where the run stands"


def test_the_log_of_a_step_that_has_not_begun(durun, recorded):
    recorded("aaaa", recorded.created(steps=["dump", "copy"]))
    code, cause, hint = told(durun("logs", "aaaa", "copy"))
    assert (code, cause) == (2, "step copy of run aaaa has not begun")
    assert hint == "`durun show aaaa` says where the run stands"


def test_no_runbook_of_quite_another_name_is_proposed(durun, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told(durun("run", "x.yaml"))[2] == "no runbook is there; `durun new NAME` writes a first one"
    (tmp_path / "nul.yml").touch()
    assert told(durun("run", "x.yaml"))[2] == "there is nul.yml"
    assert told(durun("run", "nul.yaml"))[2] == "did you mean `nul.yml`?"
    assert told(durun("run", str(tmp_path)))[1:] == (f"{tmp_path} is a folder", "there is nul.yml")
    ran = durun("validate", "x.yaml")
    assert (ran.code, ran.out) == (2, "durun: there is no file x.yaml\n  hint: there is nul.yml\n")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("hosts=a,b", """for example: -i hosts='["a", "b"]'"""),
        ("count=many", "for example: -i count=3"),
        ("count=1.5", "for example: -i count=3"),
        ("on=yes", "for example: -i on=true"),
        ("hots=a", "give inputs with -i NAME=VALUE or --inputs FILE"),
        ("hosts", "give inputs with -i NAME=VALUE or --inputs FILE"),
    ],
)
def test_how_an_input_of_that_type_is_typed(durun, tmp_path, given, hint):
    book = tmp_path / "book.yaml"
    inputs = "{hosts: {type: array}, count: {type: integer}, on: {type: boolean}}"
    book.write_text(f"durun: 1\nname: book\ninputs: {inputs}\nsteps: [{{id: a, run: echo}}]\n")
    ran = told(durun("run", str(book), "-i", given))
    assert (ran[0], ran[2]) == (2, hint)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("approve aaaa", "nothing in run aaaa waits for `durun approve`"),
        ("reject aaaa --reason x", "nothing in run aaaa waits for `durun reject`"),
        ("complete aaaa dump --note x", "dump does not wait for `durun complete`"),
        ("settle aaaa dump --done --reason x", "dump is not in doubt"),
    ],
)
def test_what_waits_for_nobody_is_told_with_where_the_run_stands(durun, recorded, words, cause):
    recorded.failed("aaaa")
    code, said, hint = told(durun(*words.split()))
    assert (code, said) == (2, cause)
    assert hint.endswith("`durun show aaaa` says where the run stands")


@pytest.mark.parametrize("command", [["report", "aaaa"], ["export", "aaaa"], ["new"]], ids=lambda words: words[0])
def test_a_file_for_which_there_is_no_folder(durun, recorded, tmp_path, command):
    recorded.succeeded("aaaa", text="durun: 1\nname: backup\nsteps: [{id: dump, run: echo}]\n")
    path = tmp_path / "nowhere" / ("file.yaml" if command == ["new"] else "file.tar.gz")
    place = [str(path)] if command == ["new"] else ["-o", str(path)]
    assert told(durun(*command, *place)) == (2, f"there is no folder {path.parent}", f"mkdir -p {path.parent}")


def test_the_overview_fits_a_terminal_and_ends_with_where_to_begin(durun):
    assert max(map(len, overview().splitlines())) <= 80
    assert "New here? `durun new first`" in durun().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("history", "there is no run yet: durun run RUNBOOK"),
        ("history --status failed", "no run is like that"),
        ("history --for-me", "nothing waits for you"),
        ("resume --all", "nothing is to be resumed"),
        ("reap", "no privilege of your runs is open"),
        ("prune --older-than 90d", "no run that is over is that old"),
        ("report --controls", "no run is evidence for a control: a runbook names them under `controls`"),
    ],
)
def test_who_sits_at_a_terminal_is_told_why_there_is_nothing_to_see(durun, durun_process, words, told):
    master, slave = os.openpty()
    process = durun_process(*words.split(), stdout=slave, stderr=subprocess.PIPE)
    assert process.communicate()[1].decode() == f"durun: {told}\n"
    assert process.returncode == 0
    os.close(slave)
    os.close(master)
    assert durun(*words.split()) == (0, "", "")  # cron is told nothing


def test_without_a_command_what_is_unfinished_is_told_with_what_to_type(durun, recorded, home):
    assert "Unfinished" not in durun().err
    assert not home.exists()
    recorded.failed("aaaa")
    assert "Unfinished" not in durun().err
    recorded.in_doubt("bbbb", runbook="rotate-keys")
    recorded.running("cccc")
    told = durun()
    assert (told.code, told.out) == (2, "")
    assert told.err.endswith(
        "\n\nUnfinished:\n"
        "  cccc  backup       interrupted  durun resume cccc\n"
        "  bbbb  rotate-keys  in doubt     durun show bbbb\n"
    )
    assert "Unfinished" not in durun("--help").out
    for run in ("dddd", "eeee"):
        recorded.running(run)
    assert durun().err.endswith("  …            durun history\n")
    (home / "journal.db").write_bytes(b"ruined" * 1000)
    assert durun().err.endswith(" and go on.\n")


@pytest.mark.parametrize("options", [(), ("--quiet",)], ids=["plain", "quiet"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no database shop' >&2; exit 3", "exit code 3: no database shop"),
        ("echo $NOBODY_SET_THIS", "exit code 1: dump.run.sh: line 1: NOBODY_SET_THIS: unbound variable"),
        ("exit 3", "exit code 3"),
    ],
)
def test_the_end_of_a_run_says_what_a_failed_step_said_last(durun_process, tmp_path, options, script, said):
    book = tmp_path / "backup.yaml"
    book.write_text(f"durun: 1\nname: backup\nsteps:\n  - id: dump\n    run: {script}\n")
    process = durun_process("run", str(book), *options, stdout=subprocess.PIPE)
    shown = process.communicate()[0].decode()
    assert process.returncode == 1
    assert f"\n  dump failed: {said}\n" in shown
