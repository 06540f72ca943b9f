"""Concurrency groups: who holds one keeps it through every death of a process, and nobody works beside him."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crash.harness import Bench, wait_until

STEPS = """
steps:
  - id: work
    run: |
      eval "$MARK"
      read -r < "$GATE" || true
      exit "$INPUT_CODE"
    env: {GATE: "${{ inputs.gate }}"}
"""


def book(bench: Bench, name: str = "rotate", more: str = "") -> str:
    """A runbook of the group `db`; its step waits until somebody opens the pipe that it was given, if any."""
    bench.write(STEPS, name, f"concurrency: {{group: db{more}}}")
    path = bench.book / f"{name}.yaml"
    inputs = "  gate: {type: string, default: /dev/null}\n  code: {type: string, default: '0'}\n"
    path.write_text(path.read_text().replace("inputs:\n", f"inputs:\n{inputs}", 1))
    return str(path)


def held(bench: Bench, *argv: str) -> tuple[subprocess.Popen[str], str, Path]:
    """A run of `rotate` that is at work: its process, its id, and the pipe that lets it go."""
    gate, before = bench.fifo(), bench.effects()
    process = bench.start("run", book(bench), "-i", f"gate={gate}", *argv)
    wait_until(lambda: bench.effects() != before)
    return process, runs(bench)[0]["id"], gate


def runs(bench: Bench) -> list[dict[str, Any]]:
    """The history, newest first."""
    return list(json.loads(bench("history", "--json").out))


def checked(bench: Bench) -> None:
    for run in runs(bench):
        bench.check(run["id"])


class Waiter:
    """A start that waits for the group, and what it says."""

    def __init__(self, bench: Bench, *argv: str) -> None:
        self._bench = bench
        self._file = bench.folder / "said"
        path = book(bench, "second", ", on_conflict: wait")
        with self._file.open("w") as out:
            self.process = bench.start("run", path, *argv, stdout=out)
        wait_until(lambda: "waiting: " in self.said)

    @property
    def said(self) -> str:
        return self._file.read_text()

    def finish(self) -> int:
        return self._bench.finish(self.process).code


@pytest.mark.fault(52)
def test_the_next_cron_run_is_refused_while_a_killed_runner_s_supervisor_works(bench: Bench) -> None:
    process, run, gate = held(bench)
    bench.kill(process.pid)
    assert bench.supervisors()
    refused = bench("run", book(bench, "second"))
    assert refused.code == 11
    assert f"run {run} of rotate holds the concurrency group `db` (interrupted, since " in refused.err
    assert f"go on with it: durun resume {run}; or give it up: durun cancel {run} --reason …" in refused.err
    assert refused.err.count("\n") == 2
    assert [one["id"] for one in runs(bench)] == [run]
    assert [folder.name for folder in bench.home.glob("runs/*")] == [run]
    bench.let_go(gate)
    assert bench("resume", run).code == 0
    assert bench.effects() == {"work": 1}
    assert bench("run", book(bench, "second")).code == 0
    checked(bench)


def test_a_run_at_work_is_named_with_its_process(bench: Bench) -> None:
    process, run, gate = held(bench)
    refused = bench("run", book(bench, "second"), "--json")
    error = json.loads(refused.err)["error"]
    assert (refused.code, refused.out, error["code"]) == (11, "", "group_held")
    assert f"run {run} of rotate holds the concurrency group `db` (running, since " in error["message"]
    assert f", process {process.pid} on " in error["message"]
    assert error["hint"] == f"wait for it, or stop it: durun cancel {run} --reason …"
    bench.let_go(gate)
    assert bench.finish(process).code == 0


@pytest.mark.fault(43)
def test_of_starts_at_the_same_instant_one_works(bench: Bench) -> None:
    gate, path = bench.fifo(), book(bench)
    started = [bench.start("run", path, "-i", f"gate={gate}") for _ in range(3)]
    wait_until(lambda: sum(process.poll() is not None for process in started) == 2)
    bench.let_go(gate)
    assert sorted(bench.finish(process).code for process in started) == [0, 11, 11]
    assert bench.effects() == {"work": 1}
    assert len(runs(bench)) == 1
    checked(bench)


def test_skip_is_silent_for_cron_and_told_to_a_program(bench: Bench) -> None:
    process, run, gate = held(bench)
    path = book(bench, "second", ", on_conflict: skip")
    assert bench("run", path) == (0, "", "")
    (line,) = bench("run", path, "--json").lines
    assert line == {
        "schema": 1, "event": "run_skipped", "concurrency_group": "db", "holder": run, "exit_code": 0,
    }  # fmt: skip
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    assert bench.effects() == {"work": 1}
    assert bench("run", path).code == 0
    assert bench.effects() == {"work": 2}


def test_wait_goes_on_when_the_holder_ends(bench: Bench) -> None:
    process, run, gate = held(bench)
    waiter = Waiter(bench)
    assert f"waiting: run {run} of rotate holds the concurrency group `db` (running, " in waiter.said
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    assert waiter.finish() == 0
    assert waiter.said.count("waiting: ") == 1
    assert bench.effects() == {"work": 2}
    checked(bench)


def test_wait_goes_on_when_what_an_interrupted_run_left_is_cancelled(bench: Bench) -> None:
    process, run, _ = held(bench)
    bench.kill(process.pid)
    waiter = Waiter(bench)
    assert "(interrupted, since " in waiter.said
    assert f"durun cancel {run} --reason …" in waiter.said
    bench("cancel", run, "--reason", "give it up")
    bench("settle", run, "work", "--failed", "--reason", "looked")
    assert waiter.finish() == 0
    assert [one["status"] for one in runs(bench)] == ["succeeded", "cancelled"]
    checked(bench)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_waits_says_that_nothing_was_started(bench: Bench, number: int, code: int) -> None:
    process, _, gate = held(bench)
    waiter = Waiter(bench)
    waiter.process.send_signal(number)
    assert waiter.finish() == code
    assert waiter.said.splitlines()[-1] == "it is waited for no more, and nothing was started"
    assert len(runs(bench)) == 1
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    assert bench.effects() == {"work": 1}


def test_with_park_the_run_is_left_and_cron_takes_it_up_when_the_group_is_free(bench: Bench) -> None:
    process, run, gate = held(bench)
    left = bench("run", book(bench, "second", ", on_conflict: wait"), "--park")
    assert left.code == 5
    assert f"run {run} holds the concurrency group `db`" in left.out
    parked = runs(bench)[0]
    assert (parked["runbook"], parked["status"], parked["concurrency_group"]) == ("second", "waiting", "db")
    assert bench("resume", "--all") == (0, "", "")
    assert bench("resume", parked["id"]).code == 11
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    assert bench("resume", "--all").code == 0
    assert [one["status"] for one in runs(bench)] == ["succeeded", "succeeded"]
    assert bench.effects() == {"work": 2}
    checked(bench)


@pytest.mark.fault(14)
def test_ctrl_c_leaves_a_wait_and_nothing_was_started(bench: Bench) -> None:
    process, run, gate = held(bench)
    waiter = Waiter(bench)
    waiter.process.send_signal(signal.SIGINT)
    assert waiter.finish() == 130
    assert [one["id"] for one in runs(bench)] == [run]
    bench.let_go(gate)
    assert bench.finish(process).code == 0


def test_a_failed_run_holds_its_group_and_its_own_cron_job_is_told_why(bench: Bench) -> None:
    path = book(bench)
    assert bench("run", path, "-i", "code=3").code == 1
    (run,) = (one["id"] for one in runs(bench))
    refused = bench("run", path)
    assert (refused.code, f"run {run} of rotate holds" in refused.err, "(failed, " in refused.err) == (11, True, True)
    told = bench("run", path, "-i", "code=3", "--resume-or-start")
    assert (told.code, f"run {run} of the same inputs is not finished" in told.out) == (1, True)
    assert bench("cancel", run, "--reason", "not today").code == 0
    assert bench("run", path).code == 0


def test_a_run_that_let_go_is_refused_while_another_one_works(bench: Bench) -> None:
    first = book(bench, "first", ", release_on: [failed]")
    Path(first).write_text(Path(first).read_text() + "finally:\n  - {id: tell, run: 'true'}\n")
    assert bench("run", first, "-i", "code=3").code == 1
    (failed,) = (one["id"] for one in runs(bench))
    assert bench.show(failed)["concurrency_group"] == "db"
    process, run, gate = held(bench)
    for verb in (["resume", failed], ["cancel", failed, "--reason", "enough"]):
        refused = bench(*verb)
        assert (refused.code, f"run {run} of rotate holds" in refused.err) == (11, True), refused
    assert bench("resume", "--all", "--failed") == (0, "", "")
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    assert bench("resume", failed).code == 1
    assert bench.effects() == {"work": 3}
    checked(bench)


def test_a_run_that_let_go_is_given_up_beside_another_one_if_that_starts_nothing(bench: Bench) -> None:
    assert bench("run", book(bench, "first", ", release_on: [failed]"), "-i", "code=3").code == 1
    (failed,) = (one["id"] for one in runs(bench))
    process, _, gate = held(bench)
    assert bench("cancel", failed, "--reason", "enough").code == 0
    assert bench.show(failed)["status"] == "cancelled"
    bench.let_go(gate)
    assert bench.finish(process).code == 0
    checked(bench)
