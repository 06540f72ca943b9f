from __future__ import annotations

import errno
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from durun.cli.commands import COMMANDS


def test_help_lists_every_command_with_one_line(durun):
    ran = durun("--help")
    assert ran.code == 0
    for name, command in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert command.summary in ran.out


def test_without_a_command_the_help_goes_to_stderr_and_it_is_a_mistake(durun):
    ran = durun()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: durun COMMAND" in ran.err


@pytest.mark.parametrize("name", ["run", "history", "settle", "verify"])
def test_help_fits_into_a_narrow_terminal(durun, monkeypatch, name):
    monkeypatch.setattr("durun.cli.parser.width_of_terminal", lambda: 40)
    assert max(map(len, durun(name, "--help").out.splitlines())) <= 40


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(durun, name):
    ran = durun(*name.split(), "--help")
    assert ran.code == 0
    assert f"Usage: durun {name} " in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("name", ["history", "secret set", "secret"])
def test_help_of_a_command_can_be_asked_either_way(durun, name):
    assert durun("help", *name.split()) == durun(*name.split(), "--help")


def test_a_word_that_several_commands_begin_with_lists_them(durun):
    asked = durun("secret", "--help")
    assert (asked.code, asked.err) == (0, "")
    for name, command in COMMANDS.items():
        assert (f"\n  {name} " in asked.out) == (command.group == "secret")
    assert durun("secret") == (2, "", asked.out)


def test_a_mistyped_second_word_is_named_with_the_one_that_was_meant(durun):
    ran = durun("secret", "sett", "a", "b")
    assert ran == (2, "", "durun: there is no command `secret sett`\n  hint: did you mean `durun secret set`?\n")
    ran = durun("secret", "nonsense")
    assert ran == (2, "", "durun: there is no command `secret nonsense`\n  hint: durun secret --help lists them\n")


def test_a_mistyped_command_is_named_with_the_one_that_was_meant(durun):
    ran = durun("histroy")
    assert ran == (2, "", "durun: there is no command `histroy`\n  hint: did you mean `durun history`?\n")


@pytest.mark.fault(13)
def test_an_unknown_run_is_no_traceback(durun, recorded):
    recorded.succeeded("20260101t000000-aaaaaaaa")
    ran = durun("show", "20260101t000000-aaaaaaab")
    assert ran.code == 2
    assert ran.err.startswith("durun: no run 20260101t000000-aaaaaaab\n")
    assert ran.err.endswith("  hint: did you mean `20260101t000000-aaaaaaaa`?\n")


@pytest.mark.fault(13)
def test_an_ambiguous_run_names_the_candidates(durun, recorded):
    recorded.succeeded("aaaa-1")
    recorded.succeeded("aaaa-2")
    ran = durun("show", "aaaa")
    assert ran.code == 2
    assert "aaaa-1" in ran.err
    assert "aaaa-2" in ran.err


def test_with_json_an_error_is_json_too(durun):
    ran = durun("show", "nothing", "--json")
    assert ran.code == 2
    shown = json.loads(ran.err)
    assert shown["schema"] == 1
    assert shown["error"]["code"] == "no_such_run"
    assert set(shown["error"]) == {"code", "message", "hint"}


def test_what_should_not_happen_is_one_line_and_the_details_are_in_a_private_file(durun, home, monkeypatch):
    def broken(**_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("durun.cli.history.open_app", broken)
    ran = durun("history")
    assert ran.code == 70
    match = re.fullmatch(r"durun: internal error: ZeroDivisionError: a bug; the details are in (.*)\n", ran.err)
    assert match
    details = Path(match[1])
    assert details.parent == home / "errors"
    assert "Traceback" in details.read_text()
    assert stat.S_IMODE(details.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EMFILE, "Too many open files"),
            "no more files can be opened here\n  hint: allow more: ulimit -n 1024",
        ),
        (
            RuntimeError("can't start new thread"),
            "no more processes can be started here\n  hint: allow more: ulimit -u 256",
        ),
    ],
)
def test_a_limit_is_no_bug(durun, home, monkeypatch, error, said):
    def limited(**_: object) -> None:
        raise error

    monkeypatch.setattr("durun.cli.history.open_app", limited)
    assert durun("history") == (4, "", f"durun: {said}\n")
    assert not (home / "errors").exists()


def test_ctrl_c_is_exit_code_130_without_a_word(durun, monkeypatch):
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("durun.cli.history.open_app", interrupted)
    assert durun("history") == (130, "", "")


def test_ctrl_c_while_durun_loads_is_the_same():
    code = """
import sys
class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "durun.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Impatient())
from durun.__main__ import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", code, "history"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


@pytest.mark.fault(40)
def test_a_reader_that_goes_away_is_no_error(durun_process, recorded):
    recorded.many({f"run-{number:04}": [recorded.created("x" * 300)] for number in range(300)})
    process = durun_process("history", "--limit", "0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.fault(40)
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors_never_become_the_journal(durun_process, home, recorded, closed):
    recorded.succeeded("aaaa")
    before = (home / "journal.db").read_bytes()
    assert durun_process("history", redirect=closed).wait() == 0
    assert (home / "journal.db").read_bytes() == before


def test_version_answers_at_once(durun_process):
    from durun import __version__

    process = durun_process("--version", stdout=subprocess.PIPE)
    assert process.communicate() == (f"durun {__version__}\n".encode(), None)
