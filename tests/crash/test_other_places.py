"""A resume elsewhere: under another path, in another pid namespace, of another mount."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until


@pytest.mark.parametrize("head", ["", "files: [helper.sh]"])
def test_moved_state_directory_asks_for_nothing_else(bench: Bench, tmp_path: Path, head: str) -> None:
    (bench.book / "helper.sh").touch()
    fifo = bench.fifo()
    book = str(
        bench.write(
            f"""
steps:
  - id: one
    idempotent: true
    on_in_doubt: rerun
    run: eval "$MARK"; read -r _ < {fifo} || true
""",
            head=head,
        )
    )
    process = bench.start("run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    bench.kill(process.pid, *bench.supervisors(), *bench.steps())
    bench.finish(process)
    run = bench.last() or ""
    bench.home.rename(tmp_path / "moved")
    moved = Bench(tmp_path, tmp_path / "moved")
    resumed = moved.start("resume", run)
    wait_until(lambda: moved.effects()["one"] == 2)
    moved.let_go(fifo)
    assert moved.finish(resumed).code == 0
    moved.close()


NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def _may_unshare() -> bool:
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(not _may_unshare(), reason="a pid namespace can't be made here (needs root)")


@needs_namespaces
@pytest.mark.fault(49)
@pytest.mark.parametrize("at", ["runner send.before 1", "supervisor spawn.before 1;runner settle.before 1"])
def test_resume_in_another_pid_namespace_never_says_never_began(bench: Bench, at: str) -> None:
    """As after the restart of a container: the same boot id, other pids."""
    book = str(bench.write('steps:\n  - id: one\n    run: eval "$MARK"\n'))
    bench.crash("run", book, at=at)
    bench.quiet()
    run = bench.last() or ""
    ran = bench("resume", run, prefix=NAMESPACE)
    assert ran.code == 3, ran
    task = bench.task("one")
    assert task["status"] == "in_doubt"
    assert "pid namespace" in task["reason"]
    assert not bench.effects()
    # Back where it was started, it can be told.
    assert bench("settle", run, "one", "--not-done", "--reason", "looked").code == 0
    assert bench("resume", run).code == 0
    assert bench.effects() == {"one": 1}


@needs_namespaces
@pytest.mark.fault(49)
def test_resume_after_the_state_directory_was_mounted_anew(bench: Bench) -> None:
    book = str(bench.write('steps:\n  - id: one\n    run: eval "$MARK"\n'))
    stored, mounted = bench.folder / "stored", bench.folder / "mounted"
    stored.mkdir(mode=0o700)
    mounted.mkdir(mode=0o700)
    bench.home = mounted / "state"
    bench.env["DURUN_HOME"] = str(bench.home)
    script = f"""
        mount --bind {stored} {mounted}
        "$@"
        umount --lazy {mounted}
        mount --bind {stored} {mounted}
        unset CRASH_AT
        exec {sys.executable} -m durun resume "$(ls {mounted}/state/runs)"
    """
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    ran = bench("run", book, prefix=prefix, crash="runner send.before 1")
    assert ran.code == 3, ran
    bench.home = stored / "state"
    bench.env["DURUN_HOME"] = str(bench.home)
    task = bench.task("one")
    assert task["status"] == "in_doubt"
    assert "mounted anew" in task["reason"]
    assert not bench.effects()
