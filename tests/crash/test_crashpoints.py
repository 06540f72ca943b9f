"""kill -9 at every point of runner and supervisor where something was just done or is just about to be.

Each test goes through the hits of one point (or every STRIDE-th one) until a run comes to its end unharmed: so all
hits are tried.
"""

from __future__ import annotations

import random

import pytest

from crash.harness import Bench, Ran

STRIDE = 4

STEPS = """
max_parallel: 4
steps:
  - id: first
    run: 'eval "$MARK"; echo token=t-42 >> "$DURUN_OUTPUT"'
    outputs: {token: {type: string}}
  - id: hosts
    targets: [a, b]
    max_parallel: 2
    steps:
      - id: drain
        run: 'eval "$MARK"; echo "was=$TARGET-$TOKEN" >> "$DURUN_OUTPUT"'
        env: {TOKEN: "${{ steps.first.outputs.token }}"}
        outputs: {was: {type: string}}
      - id: patch
        run: 'test "$WAS" = "$TARGET-t-42"; eval "$MARK"'
        shell: sh
        env: {WAS: "${{ steps.drain.outputs.was }}"}
  - id: asked
    run: 'eval "$MARK"'
    shell: sh
    on_in_doubt: verify
    verify: {run: 'grep -qx asked "$EFFECTS" || exit 2', shell: sh, not_done_on: [2]}
outputs:
  token: ${{ steps.first.outputs.token }}
  drained: ${{ steps.drain.targets['b'].outputs.was }}
finally:
  - id: tidy
    run: 'test "$DURUN_RUN_STATUS" = succeeded; eval "$MARK"'
"""
HEAD = "defaults: {on_in_doubt: ask}"
ALL = ["first", "drain/a", "drain/b", "patch/a", "patch/b", "asked", "tidy"]

AROUND = ("before", "after")
RUNNER_POINTS = [
    *(f"{point}.{when}" for point in ("folder", "lock", "supervise", "open", "script", "take_over") for when in AROUND),
    "close.before",
    "half.middle",
]
RUNNER_POINTS_OFTEN = [f"{point}.{when}" for point in ("append", "send", "reply", "land") for when in AROUND]
"""Points that are reached in every turn."""
RESUME_POINTS = [f"{point}.{when}" for point in ("settle", "fence", "sync", "append", "send") for when in AROUND]
BEFORE_GATE = ["open.before", "open.after", "gate.before", "link.before"]
AFTER_GATE = [
    "link.after",
    "spawn.before",
    "process.before",
    "process.after",
    "exit.before",
    "exit.after",
    "sync.before",
    "ahead.after",
    "ended.before",
    "ended.after",
]


def given(step: str, target: str | None) -> list[str]:
    """The outputs of the steps that have some."""
    return {"first": ["token=t-42"], "drain": [f"was={target}-t-42"]}.get(step, [])


def at_most_once(bench: Bench) -> None:
    assert all(count == 1 for count in bench.effects().values()), bench.effects()


def go_on(bench: Bench, book: str) -> Ran:
    """Resume, settling honestly, until the run has ended. If there is none yet: start it."""
    for _ in range(10):
        at_most_once(bench)
        run = bench.last()
        if run is None:
            assert not bench.effects()
        ran = bench("run", book) if run is None else bench("resume", run)
        if ran.code != 3:
            return ran
        assert bench.settle_honestly(given)
    raise AssertionError("in doubt for ever")


def whole(bench: Bench, ran: Ran) -> None:
    """Everything was done, once, and the journal says so."""
    assert ran.code == 0, (ran, bench.effects())
    assert bench.effects() == dict.fromkeys(ALL, 1)
    state = bench.state()
    assert state.record.status == "succeeded"
    assert state.record.outputs == {"token": "t-42", "drained": "b-t-42"}
    assert {task.status for task in state.tasks.values()} == {"succeeded"}
    bench.check()
    bench.quiet()
    attempts = bench.home / "runs" / state.record.id / "attempts"
    assert all((folder / "gate").exists() for folder in attempts.iterdir()), "a folder that was made ahead is left"


def fresh(bench: Bench, number: int) -> Bench:
    """A bench of its own for each hit."""
    folder = bench.folder / str(number)
    folder.mkdir()
    return Bench(folder)


def every_hit(bench: Bench, at: str, first: int = 1, stride: int = 1, before: str | None = None) -> None:
    """Kill at every `stride`-th hit from `first` on, and go on. With `before`: kill a resume of a run killed there."""
    hit, sprung = first, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(STEPS, head=HEAD))
        command = ["run", book]
        if before is not None:
            assert trial.crash("run", book, at=before)[0]
            command = ["resume", trial.last() or ""]
        sprung, ran = trial.crash(*command, at=f"{at} {hit}")
        assert sprung or hit > 1, "the point is not reached at all: does it still have this name?"
        if ran.code != 0 or sprung:
            ran = go_on(trial, book)
        whole(trial, ran)
        trial.close()
        hit += stride


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("point", RUNNER_POINTS)
def test_runner_killed(bench: Bench, point: str) -> None:
    every_hit(bench, f"runner {point}")


@pytest.mark.fault(1, 2, 3, 4)
@pytest.mark.parametrize("first", range(1, STRIDE + 1))
@pytest.mark.parametrize("point", RUNNER_POINTS_OFTEN)
def test_runner_killed_in_a_turn(bench: Bench, point: str, first: int) -> None:
    every_hit(bench, f"runner {point}", first, STRIDE)


BEFORE = {
    "fence": "runner send.before 2",
    "sync": "runner land.before 4;supervisor durable.before 1",
}
"""The kill before the resume that makes the resume reach the point."""


@pytest.mark.fault(2, 6)
@pytest.mark.parametrize("first", (1, 2))
@pytest.mark.parametrize("point", RESUME_POINTS)
def test_resume_killed(bench: Bench, point: str, first: int) -> None:
    before = BEFORE.get(point.partition(".")[0], "runner land.before 4")
    if first == 1 or point not in ("sync.before", "sync.after"):
        every_hit(bench, f"runner {point}", first, 2, before)


@pytest.mark.fault(8)
@pytest.mark.parametrize("point", ["open.before", "open.after"])
def test_supervisor_killed_before_anything(bench: Bench, point: str) -> None:
    every_hit(bench, f"supervisor {point}")


@pytest.mark.fault(8)
@pytest.mark.parametrize("first", range(1, STRIDE + 1))
@pytest.mark.parametrize("point", ["gate.before", "link.before"])
def test_supervisor_killed_before_the_gate(bench: Bench, point: str, first: int) -> None:
    every_hit(bench, f"supervisor {point}", first, STRIDE)


@pytest.mark.fault(9)
@pytest.mark.parametrize("first", range(1, STRIDE + 1))
@pytest.mark.parametrize("point", AFTER_GATE)
def test_supervisor_killed_after_the_gate(bench: Bench, point: str, first: int) -> None:
    every_hit(bench, f"supervisor {point}", first, STRIDE)


@pytest.mark.fault(6)
@pytest.mark.parametrize("seed", range(6))
def test_five_crashes_in_a_row(bench: Bench, seed: int) -> None:
    """Anywhere, the resumes included, the supervisor now and then."""
    dice = random.Random(seed)
    book = str(bench.write(STEPS, head=HEAD))
    crashes = 0
    while crashes < 5:
        run = bench.last()
        point = dice.choice([*RUNNER_POINTS_OFTEN, "take_over.after", "settle.before", "settle.after"])
        at = f"runner {point} {dice.randint(1, 2)}"
        if dice.random() < 0.4:
            at += f";supervisor {dice.choice(BEFORE_GATE + AFTER_GATE)} {dice.randint(1, 2)}"
        _, ran = bench.crash(*(["run", book] if run is None else ["resume", run]), at=at)
        if ran.code == 0:
            break
        if ran.code == 3:
            bench.settle_honestly(given)
        at_most_once(bench)
        crashes += 1
    whole(bench, ran if ran.code == 0 else go_on(bench, book))


@pytest.mark.fault(8)
def test_supervisor_killed_before_the_gate_again_and_again(bench: Bench) -> None:
    """Each time it is proved that nothing began: six times, then it is enough."""
    book = bench.write('steps:\n  - id: one\n    run: eval "$MARK"\n')
    ran = bench("run", str(book), crash="supervisor gate.before 1")
    assert ran.code == 4, ran
    assert not bench.effects()
    (task,) = bench.show()["tasks"]
    assert task["status"] == "failed"
    assert "never began 6 times" in task["reason"]
    assert len(task["attempts"]) == 6
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(9)
@pytest.mark.parametrize(("point", "effects"), [("link.after", 0), ("spawn.after", 1), ("ended.before", 1)])
def test_supervisor_killed_after_the_gate_is_never_run_again(bench: Bench, point: str, effects: int) -> None:
    fifo = bench.fifo()
    book = bench.write(
        f"""
steps:
  - id: one
    run: 'eval "$MARK"; read -r _ < {fifo} || true'
  - id: two
    run: eval "$MARK"
"""
    )
    process = bench.start("run", str(book), crash=f"supervisor {point} 1")
    if effects:
        bench.let_go(fifo)
    ran = bench.finish(process)
    run = bench.last() or ""
    if point == "ended.before":
        # The exit record was there: nothing is in doubt.
        assert ran.code == 0, ran
        return
    assert ran.code == 3, ran
    for _ in range(2):
        assert bench("resume", run).code == 3
    assert bench.effects() == ({"one": effects} if effects else {})
    task = bench.task("one")
    assert task["status"] == "in_doubt"
    assert len(task["attempts"]) == 1
    assert "supervisor was killed" in task["reason"]
