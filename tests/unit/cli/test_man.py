from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from durun.cli.arguments import option_names, parameters
from durun.cli.commands import COMMANDS


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
def test_groff_sets_it_without_a_warning(durun):
    page = durun("man").out
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-P-cbou"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "durun plan RUNBOOK|RUN [OPTIONS]" in done.stdout
    assert "-i NAME=VALUE" in done.stdout
    assert "\\" not in done.stdout.replace("\\%", "")
