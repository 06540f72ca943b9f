"""An included runbook through kills: its file is gone when the run is taken up, and every step has one effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.harness import Bench, wait_until

STRIDE = 3

OUTER = """
steps:
  - {id: first, run: 'eval "$MARK"; echo word=w-1 >> "$DURUN_OUTPUT"', outputs: {word: {}}}
  - id: call
    runbook: {file: parts.yaml, inputs: {effects: "${{ inputs.effects }}", word: "${{ steps.first.outputs.word }}"}}
  - {id: last, run: 'test "$GIVEN" = "w-1 w-1"; eval "$MARK"', env: {GIVEN: "${{ steps.call.outputs.both }}"}}
outputs: {both: "${{ steps.call.outputs.both }}"}
"""
INNER = """
files: [mark.sh]
steps:
  - {id: one, run: './mark.sh; echo "word=$INPUT_WORD" >> "$DURUN_OUTPUT"', outputs: {word: {}}}
  - id: each
    targets: [a, b]
    max_parallel: 2
    run: ./mark.sh
outputs: {both: "${{ inputs.word }} ${{ steps.one.outputs.word }}"}
"""
EFFECTS = {"first": 1, "call.one": 1, "call.each/a": 1, "call.each/b": 1, "last": 1}
POINTS = ["runner append.before", "runner append.after", "runner land.before", "runner send.after"]
POINTS += ["supervisor gate.before", "supervisor exit.before", "supervisor exit.after"]


def books(bench: Bench) -> tuple[str, list[Path]]:
    """The runbook, and what of it is elsewhere."""
    inner = bench.write(INNER, "parts")
    inner.write_text(inner.read_text().replace("inputs:\n", "inputs:\n  word: {type: string, required: true}\n", 1))
    helper = bench.book / "mark.sh"
    helper.write_text('#!/bin/sh\neval "$MARK"\n')
    helper.chmod(0o755)
    return str(bench.write(OUTER)), [inner, helper]


def given(step: str, target: str | None) -> list[str]:
    return ["word=w-1"] if step in ("first", "call.one") else []


@pytest.mark.fault(1, 2, 3, 4, 6, 27, 51)
@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_and_its_files_removed_the_run_ends_with_one_effect_of_each_step(
    bench: Bench, point: str
) -> None:
    hit = 1
    while True:
        folder = bench.folder / str(hit)
        folder.mkdir()
        one = Bench(folder)
        try:
            book, elsewhere = books(one)
            killed, _ = one.crash("run", book, at=f"{point} {hit}")
            if not killed:
                break
            if one.last() is not None:
                for path in elsewhere:
                    path.unlink()
            go_on(one, book)
        finally:
            one.close()
        hit += STRIDE
    assert hit > 1


def go_on(bench: Bench, book: str) -> None:
    for _ in range(10):
        assert all(count == 1 for count in bench.effects().values()), bench.effects()
        run = bench.last()
        ran = bench("run", book) if run is None else bench("resume", run)
        if ran.code != 3:
            break
        assert bench.settle_honestly(given)
    assert ran.code == 0, (ran, bench.effects())
    assert bench.effects() == EFFECTS
    assert bench.state().record.outputs == {"both": "w-1 w-1"}
    bench.check()
    bench.quiet()


@pytest.mark.fault(3, 27)
def test_killed_in_the_middle_of_an_included_step_it_is_adopted_though_its_file_is_gone(bench: Bench) -> None:
    fifo = bench.fifo()
    inner = bench.write('steps: [{id: work, run: \'eval "$MARK"; read -r < "$GATE" || true\'}]', "parts")
    inner.write_text(inner.read_text().replace("env:\n", f"env:\n  GATE: {fifo}\n", 1))
    steps = 'steps: [{id: call, runbook: {file: parts.yaml, inputs: {effects: "${{ inputs.effects }}"}}}]'
    process = bench.start("run", str(bench.write(steps)))
    wait_until(bench.effects)
    bench.kill(process.pid)
    inner.unlink()
    bench.let_go(fifo)
    assert bench("resume", str(bench.last())).code == 0
    assert bench.effects() == {"call.work": 1}
    task = bench.task("call.work")
    assert (task["status"], task["how"]) == ("succeeded", "adopted")
    bench.check()
