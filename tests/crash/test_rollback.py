"""kill -9 anywhere in a run that fails and is rolled back, and wherever a privilege is granted or closed.

Whatever was done is undone, once; what was never done is not undone; and no privilege stays open.
"""

from __future__ import annotations

import pytest

from crash.harness import Bench, Ran

STRIDE = 5

HEAD = "on_failure: rollback\ndefaults: {on_in_doubt: ask}"
STEPS = """
steps:
  - {id: account, run: 'eval "$MARK"', rollback: {run: 'eval "$MARK"'}}
  - id: roles
    targets: [read, write]
    max_parallel: 2
    run: eval "$MARK"
    rollback: {run: 'eval "$MARK"'}
  - {id: enable, run: 'eval "$MARK"; exit 7', rollback: {run: 'eval "$MARK"', when: [succeeded, failed]}}
finally:
  - {id: tell, run: 'echo "$DURUN_RUN_STATUS" >>told'}
"""
DONE = ["account", "roles/read", "roles/write", "enable"]
UNDONE = ["account@rollback", "roles@rollback/read", "roles@rollback/write", "enable@rollback"]

PRIVILEGE = """
steps:
  - id: grant
    run: eval "$MARK"
    rollback: {run: 'eval "$MARK"'}
    privileged: {until: work, max: 4h}
  - {id: work, run: 'eval "$MARK"; exit 7'}
"""
LATER = {"CRASH_CLOCK": "18000"}
"""Five hours later: the privilege's time is over."""


def fresh(bench: Bench, number: int) -> Bench:
    folder = bench.folder / str(number)
    folder.mkdir()
    return Bench(folder)


def go_on(bench: Bench, book: str) -> Ran:
    """Resume, settling honestly, until the run has ended for good. If there is none yet: start it."""
    for _ in range(12):
        assert all(count == 1 for count in bench.effects().values()), bench.effects()
        run = bench.last()
        ran = bench("run", book) if run is None else bench("resume", run)
        run = bench.last()
        assert run is not None
        if ran.code == 3:
            assert bench.settle_honestly(lambda step, target: [])
        elif bench.state().record.status == "succeeded":
            return bench("rollback", run)  # by the operator's word, the step that fails was done
        elif bench.state().record.status == "rolled_back":
            return ran
    raise AssertionError("no end in sight")


def whole(bench: Bench) -> None:
    """All that was done is undone, once; what was never done is not."""
    effects, state = bench.effects(), bench.state()
    assert state.record.status == "rolled_back"
    assert all(count == 1 for count in effects.values()), effects
    assert {name for name in DONE if effects[name]} == {
        name for name, undo in zip(DONE, UNDONE, strict=True) if effects[undo]
    }
    assert (bench.book / "told").read_text().endswith("rolled_back\n")
    assert state.standing == ()
    bench.check()
    bench.quiet()


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    "point",
    ["runner append.before", "runner append.after", "runner send.after", "runner land.before", "runner land.after"],
)
def test_a_killed_runner_leaves_nothing_standing(bench: Bench, point: str) -> None:
    hit, sprung = 2, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(STEPS, head=HEAD))
        sprung, ran = trial.crash("run", book, at=f"{point} {hit}")
        assert sprung or hit > 2, "the point is not reached at all: does it still have this name?"
        if sprung:
            go_on(trial, book)
        else:
            assert ran.code == 1
        whole(trial)
        trial.close()
        hit += STRIDE


@pytest.mark.parametrize("point", ["supervisor link.after", "supervisor process.after", "supervisor exit.after"])
def test_a_killed_supervisor_leaves_nothing_standing(bench: Bench, point: str) -> None:
    hit, sprung = 4, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(STEPS, head=HEAD))
        sprung, _ = trial.crash("run", book, at=f"{point} {hit}")
        if trial.state().record.status != "rolled_back":
            if trial.state().record.counts.get("in_doubt"):
                assert trial.settle_honestly(lambda step, target: [])
            go_on(trial, book)
        whole(trial)
        trial.close()
        hit += 2


@pytest.mark.parametrize("point", ["append.before", "append.after", "send.after", "land.after"])
def test_reap_closes_what_a_killed_runner_left_open(bench: Bench, point: str) -> None:
    hit, sprung = 2, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(PRIVILEGE))
        sprung, _ = trial.crash("run", book, at=f"runner {point} {hit}")
        trial.quiet()
        for _ in range(4):
            if trial.last() is not None:
                assert trial("reap", env=LATER).code in (0, 3)
                trial.settle_honestly(lambda step, target: [])
        effects = trial.effects()
        assert effects["grant@rollback"] >= min(effects["grant"], 1), effects
        assert all(count == 1 for count in effects.values()), effects
        if trial.last() is not None:
            assert trial.state().record.privileged == 0
            assert trial("reap", env=LATER) == Ran(0, "", "")
            trial.check()
        trial.close()
        hit += 1
