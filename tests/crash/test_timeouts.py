"""What is left when the time of a step is over: nothing of it lives on, or it is in doubt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Bench, lives

STUBBORN = """
steps:
  - id: one
    run: |
      trap '' INT TERM
      eval "$MARK"
      {child} &
      echo $! > "$PIDS"
      echo it works
      while :; do wait || :; done
    env: {{PIDS: {pids}}}
    timeout: 100ms
    {more}
"""
PATIENT = {"CRASH_PATIENT": "1"}
"""The timeout counts from the word that the step says once it has had its effect."""


@pytest.mark.fault(15, 48)
@pytest.mark.parametrize("child", ["sleep 1000", "setsid sh -c 'trap \"\" INT TERM; sleep 1000'"])
def test_timeout_kills_all_that_belongs_to_the_step(bench: Bench, child: str) -> None:
    pids = bench.folder / "pids"
    ran = bench("run", str(bench.write(STUBBORN.format(child=child, pids=pids, more=""))), env=PATIENT)
    assert ran.code == 3, ran
    assert "timeout" in bench.task("one")["reason"]
    assert not any(lives(int(pid)) for pid in pids.read_text().split())
    bench.quiet()
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(15)
def test_timeout_of_an_idempotent_step_is_retried(bench: Bench) -> None:
    pids = bench.folder / "pids"
    more = "idempotent: true\n    retry: {max_attempts: 2, delay: 0s}"
    ran = bench("run", str(bench.write(STUBBORN.format(child="sleep 1000", pids=pids, more=more))), env=PATIENT)
    assert ran.code == 1, ran
    assert bench.effects() == {"one": 2}
    bench.quiet()


@pytest.fixture
def open_bench() -> Iterator[Bench]:
    """A bench that another user may work on."""
    with tempfile.TemporaryDirectory(prefix="durun-crash-") as folder:
        Path(folder).chmod(0o777)
        made = Bench(Path(folder))
        made.book.chmod(0o777)
        yield made
        made.close()


@pytest.mark.fault(48)
@pytest.mark.skipif(os.getuid() != 0, reason="a process that its owner can't kill takes root to make")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not here")
def test_what_cannot_be_killed_at_a_timeout_leaves_the_step_in_doubt(open_bench: Bench) -> None:
    """durun and the step are nobody's, the step's child becomes root's. The step is idempotent, and yet in doubt."""
    bench = open_bench
    become_root = bench.folder / "become-root"
    shutil.copy(shutil.which("setpriv") or "", become_root)
    become_root.chmod(0o4755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for command in (f"{become_root} --reuid=0 true", f"{sys.executable} -c ''"):
        if subprocess.run([*nobody, "sh", "-c", command], capture_output=True, check=False).returncode != 0:
            pytest.skip(f"another user can't start this here: {command}")
    pids = bench.folder / "pids"
    book = bench.write(
        f"""
steps:
  - id: one
    run: |
      eval "$MARK"
      {become_root} --reuid=0 sh -c 'echo $$ > {pids}; echo it works; exec sleep 1000' &
      wait
    idempotent: true
    retry: {{max_attempts: 3, delay: 0s}}
    timeout: 100ms
"""
    )
    ran = bench("run", str(book), prefix=nobody, env={"HOME": str(bench.folder), **PATIENT})
    assert ran.code == 3, ran
    pid = int(pids.read_text())
    assert lives(pid)
    shown = bench("show", "@last", "--json", prefix=nobody, env={"HOME": str(bench.folder)})
    (task,) = shown.lines[0]["tasks"]
    assert task["status"] == "in_doubt"
    assert str(pid) in task["reason"]
    assert bench.effects() == {"one": 1}
