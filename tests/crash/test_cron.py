"""durun in the hands of the real cron daemon: its bare environment, its silence, two jobs at the same moment."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemons import cron

ROOT = Path(__file__).parents[2]
README = (ROOT / "runbooks" / "README.md").read_text()
CRONTAB = re.findall(r"^```crontab\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
UNITS = re.findall(r"^```ini\n# (\S+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PATIENCE = 50.0

pytestmark = [pytest.mark.skipif(not cron.available(), reason="needs root and cron"), pytest.mark.timeout(120)]


@pytest.fixture
def machine(tmp_path):
    """A folder for runbooks and one for the state, and `durun` where a crontab looks for it."""
    for name in ("bin", "etc", "state", "cron"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "bin" / "durun").write_text(
        f'#!/bin/sh\nexport PYTHONPATH={ROOT} DURUN_HOME={tmp_path}/state\nexec {sys.executable} -m durun "$@"\n'
    )
    (tmp_path / "bin" / "durun").chmod(0o755)
    return tmp_path


def write_book(machine: Path, name: str, steps: int = 3, more: str = "") -> None:
    listed = "".join(f"  - {{id: s{n}, run: 'echo s{n} >>{machine}/{name}'}}\n" for n in range(steps))
    (machine / "etc" / f"{name}.yaml").write_text(f"durun: 1\nname: {name}\n{more}steps:\n{listed}")


def job(machine: Path, number: int, arguments: str) -> str:
    """A line of a crontab: its output and its exit code are kept."""
    said = f"{machine}/said-{number}"
    keep = f"echo $? >{said}.code.new; mv {said}.code.new {said}.code"
    return f"@reboot {machine}/bin/durun {arguments} >{said} 2>&1; {keep}\n"


def ended(machine: Path, jobs: int) -> list[tuple[int, str]]:
    """Wait for the jobs; exit code and output of each."""
    wait(lambda: all((machine / f"said-{n}.code").exists() for n in range(jobs)), machine)
    return [(int((machine / f"said-{n}.code").read_text()), (machine / f"said-{n}").read_text()) for n in range(jobs)]


def wait(there: Callable[[], bool], machine: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < until, [path.name for path in machine.iterdir()]
        select.select([], [], [], 0.05)


def history(machine: Path) -> list[dict]:
    said = subprocess.run([machine / "bin" / "durun", "history", "--json"], capture_output=True, check=True).stdout
    return json.loads(said)


def test_jobs_at_the_same_moment_share_a_journal_and_say_nothing(machine):
    jobs = 6
    for number in range(jobs):
        write_book(machine, f"book-{number}")
    table = "".join(
        job(machine, number, f"run {machine}/etc/book-{number}.yaml --resume-or-start --quiet")
        for number in range(jobs)
    )
    with cron.running(machine / "cron", table):
        assert ended(machine, jobs) == [(0, "")] * jobs
    for number in range(jobs):
        assert (machine / f"book-{number}").read_text() == "s0\ns1\ns2\n"
    assert {run["status"] for run in history(machine)} == {"succeeded"}


def test_the_same_job_twice_at_the_same_moment_does_its_work_once(machine):
    write_book(machine, "rotate", more="concurrency: {group: rotate, on_conflict: skip}\n")
    table = "".join(job(machine, n, f"run {machine}/etc/rotate.yaml --request-id night-1 --quiet") for n in range(3))
    with cron.running(machine / "cron", table):
        assert {code for code, _ in ended(machine, 3)} <= {0, 11}
    assert (machine / "rotate").read_text() == "s0\ns1\ns2\n"
    assert len(history(machine)) == 1


def test_a_killed_run_is_taken_up_and_only_a_failure_is_mailed(machine):
    (machine / "etc" / "long.yaml").write_text(
        f"durun: 1\nname: long\nsteps:\n  - {{id: a, run: 'echo a >>{machine}/long'}}\n"
        f"  - {{id: b, run: 'echo b >>{machine}/long; cat {machine}/gate'}}\n"
        f"  - {{id: c, run: 'echo c >>{machine}/long'}}\n"
    )
    (machine / "etc" / "bad.yaml").write_text("durun: 1\nname: bad\nsteps:\n  - {id: a, run: exit 3}\n")
    os.mkfifo(machine / "gate")
    first = subprocess.Popen([machine / "bin" / "durun", "run", machine / "etc" / "long.yaml", "-q"])
    wait(lambda: (machine / "long").exists() and (machine / "long").read_text() == "a\nb\n", machine)
    first.kill()
    first.wait()
    (machine / "gate").write_text("open")
    table = job(machine, 0, "resume --all --quiet") + job(machine, 1, f"run {machine}/etc/bad.yaml --quiet")
    with cron.running(machine / "cron", table):
        resumed, failed = ended(machine, 2)
    assert resumed == (0, "")
    assert (machine / "long").read_text() == "a\nb\nc\n"
    assert failed[0] == 1
    assert "a FAILED: exit code 3" in failed[1]


def test_the_crontab_of_the_cookbook_is_taken_by_cron_and_does_what_it_says(machine):
    assert len(CRONTAB) == 1
    lines = [line for line in CRONTAB[0].splitlines() if line and not line.startswith("#")]
    settings = [line for line in lines if re.match(r"[A-Z]+=", line)]
    jobs = [re.sub(r"^(\S+ +){5}", "@reboot ", line) for line in lines if line not in settings]
    assert settings and len(jobs) == 4
    write_book(machine, "rotate")
    write_book(machine, "report")
    table = "\n".join([*(line.replace("/usr/local/bin", f"{machine}/bin") for line in settings), *jobs, ""])
    table = table.replace("/srv/runbooks", f"{machine}/etc").replace("MAILTO=ops@example", 'MAILTO=""')
    with cron.running(machine / "cron", table):
        wait(lambda: (machine / "rotate").exists() and (machine / "report").exists(), machine)
        wait(lambda: [run["status"] for run in history(machine)] == ["succeeded"] * 2, machine)


def test_systemd_finds_nothing_wrong_with_the_units_of_the_cookbook(tmp_path):
    names = [name for name, _ in UNITS]
    assert names == ["durun-rotate.service", "durun-rotate.timer"]
    for name, text in UNITS:
        (tmp_path / name).write_text(text.replace("/usr/local/bin/durun", "/bin/true"))
    if not Path("/usr/bin/systemd-analyze").exists():
        pytest.skip("systemd-analyze is not here")
    paths = [str(tmp_path / name) for name in names]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "durun-rotate" in line]) == (0, [])
