"""Real runs whose output goes nowhere: the run must not care."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

BOOK = """\
durun: 1
name: noisy
steps:
  - id: each
    targets: {matrix: {a: [1, 2, 3, 4, 5, 6], b: [1, 2, 3, 4, 5]}}
    target_key: "${{ target.a }}-${{ target.b }}"
    max_parallel: 8
    run: ["true"]
"""


@pytest.fixture
def noisy(tmp_path, home):
    path = tmp_path / "noisy.yaml"
    path.write_text(BOOK, encoding="utf-8")
    return str(path)


def only_run(durun):
    (run,) = json.loads(durun("history", "--json").out)
    return run


@pytest.mark.fault(40)
@pytest.mark.parametrize("more", [(), ("--json",), ("-q",)], ids=["plain", "json", "quiet"])
def test_a_run_goes_on_when_its_reader_has_gone(durun, durun_process, noisy, more):
    process = durun_process("run", noisy, *more, stdout=subprocess.PIPE)
    process.stdout.close()
    assert process.wait() == 0
    assert only_run(durun)["tasks"]["succeeded"] == 30


@pytest.mark.fault(40)
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_run_goes_on_with_closed_descriptors(durun, durun_process, noisy, closed):
    assert durun_process("run", noisy, redirect=closed).wait() == 0
    assert only_run(durun)["status"] == "succeeded"


@pytest.mark.fault(40)
def test_a_run_needs_neither_home_nor_locale_nor_terminal_type(durun, durun_process, noisy):
    env = {"HOME": "", "LANG": "C", "LC_ALL": "C", "TERM": ""}
    process = durun_process("run", noisy, stdout=subprocess.PIPE, env=env)
    assert b"succeeded" in process.communicate()[0]
    assert process.returncode == 0


@pytest.mark.fault(54)
def test_a_run_goes_on_when_nobody_reads_its_pipe(durun, durun_process, noisy):
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    while True:
        try:
            os.write(theirs, b"x" * 4096)  # full, and nobody takes anything out
        except BlockingIOError:
            break
    os.set_blocking(theirs, True)
    process = durun_process("run", noisy, stdout=theirs)
    assert process.wait() == 0
    os.close(theirs)
    os.close(ours)
    assert only_run(durun)["tasks"]["succeeded"] == 30


def test_json_is_whole_however_slow_its_reader_is(durun_process, noisy):
    process = durun_process("run", noisy, "--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in process.stdout]
    process.stdout.close()
    assert process.wait() == 0
    assert [line["event"] for line in lines].count("task_succeeded") == 30
    assert lines[-1]["event"] == "run_ended"
    assert [line["sequence"] for line in lines[:-1]] == sorted(line["sequence"] for line in lines[:-1])
