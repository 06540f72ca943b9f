"""kill -9 around secret outputs and generated values: never a second secret, none lost, and none in clear anywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from crash.harness import Bench, Ran, wait_until
from stored import files

STEPS = """
steps:
  - id: made
    generate: {password: {length: 24}}
  - id: hosts
    targets: [a, b]
    max_parallel: 2
    steps:
      - id: issue
        run: |
          token="tok-$TARGET-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')"
          echo "issue/$TARGET" >> "$EFFECTS"; echo "$TARGET $token" >> "$EFFECTS.issued"
          echo "token=$token" >> "$DURUN_OUTPUT"
          echo "gave $token" >&2
        outputs: {token: {secret: true}}
      - id: use
        run: |
          echo "use/$TARGET" >> "$EFFECTS"; echo "$TARGET $TOKEN $(cat "$PASSWORD")" >> "$EFFECTS.used"
          echo "used $TOKEN"
        env: {TOKEN: "${{ steps.issue.outputs.token }}"}
        secret_files: {PASSWORD: "${{ steps.made.outputs.password }}"}
"""
HEAD = "defaults: {on_in_doubt: ask}"
ALL = {"issue/a": 1, "issue/b": 1, "use/a": 1, "use/b": 1}
AROUND = ("before", "after")
RUNNER_POINTS = [f"{point}.{when}" for point in ("put", "shown", "append", "land", "send") for when in AROUND]
END_POINTS = [f"{point}.{when}" for point in ("destroy", "unmark") for when in AROUND]
SUPERVISOR_POINTS = [f"{point}.{when}" for point in ("files", "seal", "sealed", "exit", "ended") for when in AROUND]


def issued(bench: Bench) -> dict[str, str]:
    """The token of each target, as the other side knows it: each was issued once."""
    lines = [line.split() for line in _read(Path(f"{bench.effects_file}.issued")).splitlines()]
    assert len({target for target, _ in lines}) == len(lines), lines
    return dict(lines)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def nothing_in_clear(bench: Bench, ran: Ran | None = None) -> None:
    """No token and no password in any file below the state directory, nor in what durun said."""
    known = [*issued(bench).values()]
    known += [line.split()[2] for line in _read(Path(f"{bench.effects_file}.used")).splitlines()]
    texts = {str(path): content for path, content in files(bench.home)}
    if ran is not None:
        texts |= {"stdout": ran.out.encode(), "stderr": ran.err.encode()}
    for name, content in texts.items():
        assert not re.search(rb"tok-[ab]-[0-9a-f]{6}", content), name
        assert not any(value.encode() in content for value in known), name


def settle(bench: Bench) -> None:
    """As an operator would: by what the other side has, whose tokens are given on stdin."""
    wait_until(lambda: not bench.steps())
    for step, target in bench.in_doubt():
        done = bench.effects()[f"{step}/{target}"] > 0
        how = ["--done" if done else "--not-done", "--target", str(target), "--reason", "looked at the other side"]
        stdin = bench.folder / "stdin"
        stdin.write_text(f"{issued(bench).get(str(target))}\n")
        if done and step == "issue":
            how += ["--output", "token"]
        with stdin.open() as file:
            settled = bench("settle", bench.last() or "", step, *how, stdin=file)
        assert settled.code == 0, settled.err


def go_on(bench: Bench, book: str) -> Ran:
    for _ in range(10):
        nothing_in_clear(bench)
        run = bench.last()
        ran = bench("run", book) if run is None else bench("resume", run)
        nothing_in_clear(bench, ran)
        if ran.code != 3:
            return ran
        settle(bench)
    raise AssertionError("in doubt for ever")


def whole(bench: Bench, ran: Ran) -> None:
    """Each secret was issued once, every later step had that one, and nothing sealed is left."""
    assert ran.code == 0, ran
    assert bench.effects() == ALL
    used = [line.split() for line in Path(f"{bench.effects_file}.used").read_text().splitlines()]
    assert {target: token for target, token, _ in used} == issued(bench)
    assert len({password for _, _, password in used}) == 1
    nothing_in_clear(bench, ran)
    bench.check()
    bench.quiet()
    left_over(bench)


def left_over(bench: Bench) -> None:
    """Nothing sealed and no secret file stays behind."""
    state = bench.state()
    assert not list(bench.home.glob("runs/*/sealed")) + list(bench.home.glob("runs/*/attempts/*/sealed"))
    assert not list(bench.home.glob("sealing/*"))
    nonces = {attempt.nonce for task in state.tasks.values() for attempt in task.attempts if attempt.nonce}
    assert not [path for path in Path("/dev/shm").glob("durun-*") if path.name.removeprefix("durun-") in nonces]


def every_hit(bench: Bench, at: str, first: int = 1, stride: int = 1) -> None:
    """Kill at every `stride`-th hit from `first` on, and go on, until a run comes to its end unharmed."""
    hit, sprung = first, True
    while sprung:
        folder = bench.folder / str(hit)
        folder.mkdir()
        trial = Bench(folder)
        book = str(trial.write(STEPS, head=HEAD))
        sprung, ran = trial.crash("run", book, at=f"{at} {hit}")
        assert sprung or hit > 1, "the point is not reached at all: does it still have this name?"
        if ran.code != 0 or sprung:
            if ran.code == 3:
                settle(trial)
            ran = go_on(trial, book)
        whole(trial, ran)
        trial.close()
        hit += stride


@pytest.mark.fault(33)
@pytest.mark.parametrize("first", (1, 2))
@pytest.mark.parametrize("point", RUNNER_POINTS)
def test_runner_killed(bench: Bench, point: str, first: int) -> None:
    every_hit(bench, f"runner {point}", first, 2 if point.startswith(("put", "shown")) else 5)


@pytest.mark.fault(33)
@pytest.mark.parametrize("first", (1, 2))
@pytest.mark.parametrize("point", SUPERVISOR_POINTS)
def test_supervisor_killed(bench: Bench, point: str, first: int) -> None:
    every_hit(bench, f"supervisor {point}", first, 2)


@pytest.mark.parametrize("point", END_POINTS)
def test_killed_while_the_sealed_values_are_destroyed(bench: Bench, point: str) -> None:
    """The run has succeeded by then: whoever comes next on this state directory removes what is left."""
    book = str(bench.write(STEPS, head=HEAD))
    sprung, _ = bench.crash("run", book, at=f"runner {point} 1")
    assert sprung and bench.state().record.status == "succeeded"
    bench.quiet()
    state = bench.state()
    other = bench.folder / "other.yaml"
    other.write_text("durun: 1\nname: other\nsteps:\n  - {id: a, run: ['true']}\n")
    ran = Ran(*_plain(bench, "run", str(other)))
    assert ran.code == 0, ran
    assert not list(bench.home.glob(f"runs/{state.record.id}/sealed")) + list(bench.home.glob("sealing/*"))
    shown = bench("show", state.record.id, "--events", "--json")
    destroyed = [json.loads(line) for line in shown.out.splitlines() if "seals_destroyed" in line]
    assert [event["values"] for event in destroyed] == [3]
    bench.check(state.record.id)


def _plain(bench: Bench, *argv: str) -> tuple[int, str, str]:
    """durun without the place of the effects, which the other runbook does not know."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "durun", *argv], env=bench.environment(), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.fault(33)
def test_an_adopted_secret_output_is_the_one_that_was_issued(bench: Bench) -> None:
    """The runner is killed while the step works: its supervisor seals what it gives, and the resume takes that."""
    fifo = bench.fifo()
    book = bench.write(
        f"""
steps:
  - id: issue
    run: |
      read -r _ < {fifo} || true
      echo issue/x >> "$EFFECTS"; echo "x tok-a-0123456789abcdef" >> "$EFFECTS.issued"
      echo "token=tok-a-0123456789abcdef" >> "$DURUN_OUTPUT"; echo "it is tok-a-0123456789abcdef"
    outputs: {{token: {{secret: true}}}}
  - id: use
    run: 'test "$TOKEN" = tok-a-0123456789abcdef; echo used >> "$EFFECTS"'
    env: {{TOKEN: "${{{{ steps.issue.outputs.token }}}}"}}
"""
    )
    book.write_text(book.read_text().replace("tok-a-0123456789abcdef", "tok-$(printf a)-0123456789abcdef"))
    process = bench.start("run", str(book))
    wait_until(bench.steps)
    bench.kill(process.pid)
    bench.finish(process)
    bench.let_go(fifo)
    bench.quiet()
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert bench.effects() == {"issue/x": 1, "used": 1}
    assert bench.task("issue")["how"] == "adopted"
    nothing_in_clear(bench, ran)
