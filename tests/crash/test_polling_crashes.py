"""A poll in the middle of which durun is killed: it asks on, its time is not begun anew, what follows is done once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until

STEPS = """
steps:
  - {id: before, run: 'eval "$MARK"'}
  - id: ready
    wait_for:
      run: 'echo x >>"$EFFECTS.asked"; test "$(wc -l <"$EFFECTS.asked")" -ge 4; echo n=4 >>"$DURUN_OUTPUT"'
      every: 20ms
      timeout: 1h
    outputs: {n: {type: integer}}
  - {id: after, run: 'test "$N" = 4; eval "$MARK"', env: {N: "${{ steps.ready.outputs.n }}"}}
"""
HEAD = "defaults: {on_in_doubt: ask}"


def went_on(bench: Bench) -> None:
    """All was done, once, and the wait began once."""
    assert bench.effects() == {"before": 1, "after": 1}
    assert len(Path(f"{bench.effects_file}.asked").read_text().split()) >= 4
    assert len(bench.events("task_waiting")) == 1
    bench.check()


@pytest.mark.fault(1, 2, 3)
@pytest.mark.parametrize("hit", range(1, 9))
@pytest.mark.parametrize("point", ["append.after", "send.after", "land.before"])
def test_a_poll_outlives_its_runner(bench: Bench, point: str, hit: int) -> None:
    book = str(bench.write(STEPS, head=HEAD))
    _, ran = bench.crash("run", book, at=f"runner {point} {hit}")
    while ran.code != 0:
        run = bench.last()
        if bench.in_doubt():
            bench.settle_honestly()
        ran = bench("run", book) if run is None else bench("resume", run)
        assert ran.code in (0, 3), ran
    went_on(bench)


@pytest.mark.fault(9)
@pytest.mark.parametrize("point", ["gate.before", "link.after", "spawn.after", "exit.before", "ended.before"])
def test_a_probe_whose_supervisor_is_killed_is_no_doubt(bench: Bench, point: str) -> None:
    sprung, ran = bench.crash("run", str(bench.write(STEPS)), at=f"supervisor {point} 3")
    assert sprung and ran.code == 0, ran
    went_on(bench)


@pytest.mark.fault(3)
def test_a_probe_that_outlived_its_runner_is_asked_anew_and_its_own_answer_is_nobodys(bench: Bench) -> None:
    fifo, come, asked = bench.fifo(), bench.folder / "come", bench.folder / "asked"
    book = bench.write(
        f"""
steps:
  - id: ready
    wait_for: {{run: 'test -e {come} || {{ touch {asked}; read -r _ <{fifo}; }}', every: 10ms, timeout: 1h}}
  - {{id: after, run: 'eval "$MARK"'}}
"""
    )
    process = bench.start("run", str(book))
    wait_until(asked.exists)
    bench.kill(process.pid)
    come.touch()
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert bench.effects() == {"after": 1}
    bench.let_go(fifo)
    bench.quiet()
    bench.check()


@pytest.mark.fault(14)
def test_what_was_said_until_somebody_left_is_recorded(bench: Bench) -> None:
    book = bench.write(
        """
steps:
  - {id: ready, wait_for: {run: 'echo x >>"$EFFECTS.asked"; exit 1', every: 20ms, timeout: 1h}}
"""
    )
    asked = Path(f"{bench.effects_file}.asked")
    process = bench.start("run", str(book))
    wait_until(lambda: asked.exists() and len(asked.read_text()) > 10)
    process.send_signal(signal.SIGINT)
    assert bench.finish(process).code == 130
    (task,) = bench.state().tasks.values()
    assert (task.status, task.waiting.times) == ("waiting", len(asked.read_text().split()))
    assert len(bench.events("probe_answered")) == 2
    bench.check()
