"""Steps whose runner, supervisor, machine or own process was taken away: adopted, in doubt, never doubled."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from crash.harness import Bench, lives, wait_until


def blocked(bench: Bench, fifo: Path, *, more: str = "", after: str = "true", name: str = "one") -> str:
    """A step that has its effect, then waits at a pipe, then does something; and one after it."""
    return str(
        bench.write(
            f"""
steps:
  - id: {name}
    run: |
      eval "$MARK"
      echo said before
      read -r _ < {fifo} || true
      {after}
    {more}
  - id: two
    run: eval "$MARK"
"""
        )
    )


def reached(bench: Bench, task: str = "one") -> None:
    wait_until(lambda: bench.effects()[task] == 1)


def kill_runner(bench: Bench, *argv: str) -> str:
    """Start durun, kill it once its first step has had its effect; the run's id."""
    process = bench.start(*argv)
    reached(bench)
    bench.kill(process.pid)
    bench.finish(process)
    return bench.last() or ""


def kill_both(bench: Bench, *argv: str) -> str:
    """Runner and supervisor, so that nobody writes the exit record."""
    process = bench.start(*argv)
    reached(bench)
    bench.kill(process.pid, *bench.supervisors())
    bench.finish(process)
    return bench.last() or ""


@pytest.mark.fault(3)
@pytest.mark.parametrize("when", ["while it works", "after it has ended"])
def test_step_outlives_its_runner_and_is_adopted(bench: Bench, when: str) -> None:
    fifo = bench.fifo()
    more = "outputs: {answer: {type: integer}}"
    book = blocked(bench, fifo, more=more, after='echo said after; echo answer=42 >> "$DURUN_OUTPUT"')
    run = kill_runner(bench, "run", book)
    assert bench.steps()
    if when == "while it works":
        process = bench.start("resume", run)
        wait_until(lambda: bench.state().record.sessions == 2)
        bench.let_go(fifo)
        ran = bench.finish(process)
    else:
        bench.let_go(fifo)
        bench.quiet()
        ran = bench("resume", run)
    assert ran.code == 0, ran
    assert bench.effects() == {"one": 1, "two": 1}
    task = bench.task("one")
    assert (task["status"], task["how"], task["outputs"]) == ("succeeded", "adopted", {"answer": 42})
    assert bench("logs", run, "one").out == "said before\nsaid after\n"
    bench.check()


@pytest.mark.fault(7)
def test_failure_while_the_runner_is_dead(bench: Bench) -> None:
    fifo = bench.fifo()
    run = kill_runner(bench, "run", blocked(bench, fifo, after="exit 7"))
    bench.let_go(fifo)
    bench.quiet()
    ran = bench("resume", run)
    assert ran.code == 1, ran
    task = bench.task("one")
    assert (task["status"], task["how"]) == ("failed", "adopted")
    assert [attempt["exit_code"] for attempt in task["attempts"]] == [7]
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(7)
def test_failure_while_the_runner_is_dead_is_retried_by_the_policy_only(bench: Bench) -> None:
    fifo = bench.fifo()
    more = "retry: {max_attempts: 2, delay: 0s}"
    run = kill_runner(bench, "run", blocked(bench, fifo, more=more, after='test "$DURUN_ATTEMPT" = 2'))
    bench.let_go(fifo)
    bench.quiet()
    process = bench.start("resume", run)
    bench.let_go(fifo)
    assert bench.finish(process).code == 0
    assert [attempt["status"] for attempt in bench.task("one")["attempts"]] == ["failed", "succeeded"]
    assert bench.effects() == {"one": 2, "two": 1}


@pytest.mark.fault(10)
def test_machine_restarted_in_mid_step(bench: Bench) -> None:
    run = kill_both(bench, "run", blocked(bench, bench.fifo()))
    bench.kill(*bench.steps())
    later = {"CRASH_BOOT_ID": "another-start-of-the-machine"}
    ran = bench("resume", run, env=later)
    assert ran.code == 3, ran
    assert "the machine restarted" in bench.task("one")["reason"]
    assert bench("resume", run, env=later).code == 3
    assert bench.effects() == {"one": 1}
    assert bench("settle", run, "one", "--done", "--reason", "looked").code == 0
    assert bench("resume", run, env=later).code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(10)
def test_machine_restarted_between_intent_and_start(bench: Bench) -> None:
    """No gate, but of another boot: it may have been lost with the machine, so it proves nothing."""
    book = str(bench.write('steps:\n  - id: one\n    run: eval "$MARK"\n'))
    assert bench.crash("run", book, at="runner send.before 1")[0]
    bench.quiet()
    ran = bench("resume", bench.last() or "", env={"CRASH_BOOT_ID": "another"})
    assert ran.code == 3, ran
    assert "the machine restarted" in bench.task("one")["reason"]
    assert not bench.effects()


@pytest.mark.fault(10, 42)
def test_result_that_was_synced_is_adopted_after_a_restart_of_the_machine(bench: Bench) -> None:
    fifo = bench.fifo()
    run = kill_runner(bench, "run", blocked(bench, fifo))
    bench.let_go(fifo)
    bench.quiet()
    assert bench("resume", run, env={"CRASH_BOOT_ID": "another"}).code == 0
    assert bench.task("one")["how"] == "adopted"
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(9, 47)
def test_step_that_lives_without_its_supervisor_is_named_and_not_doubled(bench: Bench) -> None:
    """It closes all its descriptors, as ssh does: only its pid and its nonce tell of it."""
    fifo = bench.fifo()
    program = bench.folder / "like-ssh.py"
    program.write_text(
        "import os\n"
        "fd = os.open(os.environ['EFFECTS'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "os.write(fd, b'one\\n')\n"
        "os.closerange(0, 100)\n"
        f"os.open({str(fifo)!r}, os.O_RDONLY)\n"
    )
    book = bench.write(
        f"""
steps:
  - id: one
    run: [{sys.executable}, {program}]
    on_in_doubt: rerun
    idempotent: true
  - id: two
    run: eval "$MARK"
"""
    )
    run = kill_both(bench, "run", str(book))
    (pid,) = bench.steps()
    ran = bench("resume", run)
    assert ran.code == 3, ran
    task = bench.task("one")
    assert task["status"] == "in_doubt"
    assert str(pid) in task["reason"]
    assert str(pid) in ran.out + ran.err
    refused = bench("settle", run, "one", "--not-done", "--reason", "impatient")
    assert refused.code == 2
    assert str(pid) in refused.err
    assert lives(pid)
    assert bench.effects() == {"one": 1}
    bench.let_go(fifo)
    bench.quiet()
    assert bench("settle", run, "one", "--done", "--reason", "looked").code == 0
    assert bench("resume", run).code == 0
    assert bench.effects() == {"one": 1, "two": 1}


def test_pid_of_a_doubt_is_nobody_of_ours_once_the_machine_was_restarted(bench: Bench) -> None:
    """Whoever has the number by then must neither bar the operator's word nor be killed on our advice."""
    fifo = bench.fifo()
    run = kill_runner(bench, "run", blocked(bench, fifo))
    bench.kill(*bench.supervisors())
    assert bench("resume", run).code == 3
    assert bench("settle", run, "one", "--not-done", "--reason", "impatient").code == 2
    ran = bench("settle", run, "one", "--not-done", "--reason", "looked", env={"CRASH_BOOT_ID": "another"})
    assert ran.code == 0, ran


@pytest.mark.fault(47)
def test_daemon_that_a_step_left_is_not_waited_for(bench: Bench) -> None:
    """The supervisor is killed when the script has ended, and the daemon lives on."""
    fifo = bench.fifo()
    book = bench.write(
        f"""
steps:
  - id: one
    run: |
      eval "$MARK"
      setsid sh -c 'read -r _ < {fifo}' > /dev/null 2>&1 < /dev/null &
"""
    )
    sprung, ran = bench.crash("run", str(book), at="supervisor exit.before 1")
    assert sprung
    assert ran.code == 3, ran
    assert bench.steps(), "the daemon lives"
    task = bench.task("one")
    assert task["status"] == "in_doubt"
    run = bench.last() or ""
    assert bench("settle", run, "one", "--done", "--reason", "looked").code == 0
    assert bench("resume", run).code == 0
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(46)
def test_step_killed_from_outside_is_in_doubt(bench: Bench) -> None:
    fifo = bench.fifo()
    process = bench.start("run", blocked(bench, fifo, more="retry: {max_attempts: 3, delay: 0s}"))
    reached(bench)
    bench.kill(*bench.steps())
    ran = bench.finish(process)
    assert ran.code == 3, ran
    task = bench.task("one")
    assert (task["status"], len(task["attempts"])) == ("in_doubt", 1)
    assert "signal 9" in task["reason"]
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(46)
def test_idempotent_step_killed_from_outside_is_retried(bench: Bench) -> None:
    book = bench.write(
        """
steps:
  - id: one
    run: 'eval "$MARK"; test "$DURUN_ATTEMPT" = 2 || kill -9 $$'
    idempotent: true
    retry: {max_attempts: 2, delay: 0s}
"""
    )
    assert bench("run", str(book)).code == 0
    attempts = bench.task("one")["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["failed", "succeeded"]
    assert len({attempt["idempotency_key"] for attempt in attempts}) == 1
    assert bench.effects() == {"one": 2}


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    ("verify", "code", "effects", "how"),
    [
        ("run: 'true'", 0, 1, "verified"),
        ("run: exit 2", 0, 2, "ran"),
        ("run: exit 1", 3, 1, None),
        ("run: 'sleep 1000', timeout: 300ms", 3, 1, None),
    ],
    ids=["done", "not done", "unknown", "hangs"],
)
def test_doubt_is_ended_by_verify(bench: Bench, verify: str, code: int, effects: int, how: str | None) -> None:
    book = bench.write(
        f"""
steps:
  - id: one
    run: 'eval "$MARK"; test "$DURUN_ATTEMPT" = 2 || kill -9 $$'
    verify: {{{verify}, not_done_on: [2]}}
  - id: two
    run: eval "$MARK"
"""
    )
    ran = bench("run", str(book))
    assert ran.code == code, ran
    assert bench.effects()["one"] == effects
    assert bench.effects()["two"] == (1 if code == 0 else 0)
    task = bench.task("one")
    assert len({attempt["idempotency_key"] for attempt in task["attempts"]}) == 1
    assert len(task["attempts"]) == effects
    if how is not None:
        assert task["how"] == how
    bench.quiet()


def test_step_whose_folder_was_removed_is_not_taken_for_one_that_never_began(bench: Bench) -> None:
    """`rm -rf runs/*`, to make room: the step's gate and record are gone, its effect is not."""
    fifo = bench.fifo()
    run = kill_runner(bench, "run", blocked(bench, fifo))
    bench.let_go(fifo)
    bench.quiet()
    shutil.rmtree(bench.home / "runs" / run)
    ran = bench("resume", run)
    assert ran.code == 3, ran
    assert "removed" in bench.task("one", run=run)["reason"]
    assert bench.effects() == {"one": 1}
    assert bench("settle", run, "one", "--done", "--reason", "looked").code == 0
    assert bench("resume", run).code == 0
    assert bench.effects() == {"one": 1, "two": 1}


def test_adopted_step_is_stopped_by_a_cancel(bench: Bench) -> None:
    """Its supervisor has no runner: it watches the stop file."""
    fifo = bench.fifo()
    run = kill_runner(bench, "run", blocked(bench, fifo))
    ran = bench("cancel", run, "--reason", "enough")
    assert ran.code == 3, ran
    bench.quiet()
    assert bench.effects() == {"one": 1}
    assert bench.task("one")["reason"] == "stopped by a cancel"
    settled = bench("settle", run, "one", "--done", "--reason", "looked")
    assert settled.code == 0, settled
    assert bench.show(run)["status"] == "cancelled"


def test_hangup_does_not_end_a_step(bench: Bench) -> None:
    fifo = bench.fifo()
    process = bench.start("run", blocked(bench, fifo), start_new_session=True)
    reached(bench)
    os.killpg(process.pid, signal.SIGHUP)
    ran = bench.finish(process)
    assert ran.code == 143, ran
    bench.let_go(fifo)
    assert bench("resume", bench.last() or "").code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.parametrize("made", ["mkfifo", "mkdir", "ln -s /dev/zero"])
def test_output_file_that_is_none_fails_the_step(bench: Bench, made: str) -> None:
    """It neither hangs the runner, nor eats its memory, nor breaks it."""
    book = bench.write(f'steps:\n  - id: one\n    run: {made} "$DURUN_OUTPUT"')
    ran = bench("run", str(book))
    assert ran.code == 1, ran
    assert "$DURUN_OUTPUT is no file" in bench.task("one")["attempts"][0]["reason"]
