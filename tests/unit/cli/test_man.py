from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from durun.cli.arguments import option_names, parameters
from durun.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]


def test_every_command_option_and_exit_code_is_in_the_manual_page(durun):
    from importlib import import_module

    page = durun("man").out.replace("\\-", "-")
    for name, command in COMMANDS.items():
        assert f'.SS "durun {name}' in page
        for parameter in parameters(import_module(f"durun.cli.{command.module}").command):
            if names := option_names(parameter):
                assert f'.B "{", ".join(names)}' in page
    codes = [int(code) for code in re.findall(r'^\.B "(\d+)"$', page, re.MULTILINE)]
    assert codes == sorted(set(codes))
    assert {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 70, 130, 143} <= set(codes)


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("durun", ["durun plan RUNBOOK|RUN [OPTIONS]", "-i NAME=VALUE"]),
        ("runbook", ["durun-runbook - the language", "- id: restart", "on_in_doubt"]),
    ],
)
def test_groff_sets_it_without_a_warning(durun, which, says):
    page = durun("man", which).out
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-P-cbou"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [part for part in says if part not in done.stdout] == []
    assert "\\" not in done.stdout.replace("\\%", "")


def test_every_key_of_a_runbook_is_explained_on_its_page(durun):
    page = durun("man", "runbook").out
    keys = re.findall(r'^\.B "(\w+)"\n(.+)$', page, re.MULTILINE)
    assert [name for name, said in keys if said.startswith(".")] == []
    assert page.count(".TP") == len(keys) > 150
    assert page.count('.SS "steps"') == page.count('.SS "output"') == 1


def test_a_page_that_is_not_there_is_named(durun):
    said = durun("man", "what")
    assert (said.code, "there is no page `what`" in said.err, "durun, runbook" in said.err) == (2, True, True)


def test_what_is_typed_stands_on_lines_of_its_own(durun):
    page, said = durun("man").out, durun("completion", "--help").out
    assert "\n.nf\nTo read it: durun man | man \\-l \\-\nTo keep it: " in page
    assert "\b" not in page
    assert re.search(r"^ +zsh:  durun completion zsh > a folder of \$fpath/_durun$", said, re.MULTILINE)


def test_every_variable_that_durun_reads_is_in_the_manual_page_or_told_to_scripts(durun):
    page = durun("man").out
    told = (ROOT / "runbooks" / "README.md").read_text(encoding="utf-8")
    between_its_own_processes = {"DURUN_NONCE", "DURUN_PLUGIN", "DURUN_STATUS", "DURUN_TIMEOUT"}
    named = {
        name
        for path in (ROOT / "durun").rglob("*.py")
        for name in re.findall(r"DURUN_[A-Z]+(?:_[A-Z]+)*", path.read_text(encoding="utf-8"))
    }
    assert "DURUN_STOP_GRACE" in named and "DURUN_WORK" in named
    assert {
        name for name in named if f'"{name}"' not in page and f"`{name}" not in told and f"`${name}" not in told
    } == (between_its_own_processes)
