"""Evidence is taken once: what was taken stays, and is never taken again, whoever is killed and when."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from crash.harness import Bench, Ran
from durun.evidence import wrong_with
from durun.model.evidence import evidence_of
from stored import files

STEPS = """
steps:
  - id: table
    collect: {run: 'eval "$MARK"; echo "taken $(wc -l < "$EFFECTS")"', as: table.txt}
  - id: left
    run: eval "$MARK"; echo "left $(wc -l < "$EFFECTS")" > "$DURUN_EVIDENCE/note"
  - id: files
    collect: {files: ["files/*"]}
  - id: last
    run: eval "$MARK"; cat "$TABLE" "$NOTE" "$FILE" > "$SEEN"
    env:
      SEEN: ${{ inputs.effects }}.seen
      TABLE: ${{ steps.table.evidence['table.txt'].path }}
      NOTE: ${{ steps.left.evidence.note.path }}
      FILE: ${{ steps.files.evidence['files/a'].path }}
"""
POINTS = [
    *(f"supervisor {point}.{when}" for point in ("taken", "capture", "captured") for when in ("before", "after")),
    "supervisor exit.before",
    "supervisor exit.after",
    "runner reply.before",
    "runner land.before",
    "runner append.after",
]


def book(bench: Bench) -> str:
    (bench.book / "files").mkdir()
    (bench.book / "files" / "a").write_text("a file\n")
    return str(bench.write(STEPS))


def pieces(bench: Bench) -> dict[str, str]:
    """Name and SHA-256 of all that the journal says was taken; what lies on the disk is that."""
    found = list(evidence_of(bench.state().tasks.items()))
    run_folder = bench.home / "runs" / (bench.last() or "")
    assert [wrong for piece in found if (wrong := wrong_with(piece, run_folder))] == []
    names = [piece.name for piece in found]
    assert len(names) == len(set(names)), "something was taken twice"
    return {piece.name: piece.sha256 for piece in found}


def settle(bench: Bench) -> Ran:
    """Go on as an operator does who looks at what was done; evidence that was in doubt may be taken anew."""
    for _ in range(6):
        before = pieces(bench)
        ran = bench("resume", bench.last() or "")
        assert before.items() <= pieces(bench).items(), "what was taken is not what it was"
        if ran.code != 3:
            return ran
        for step, _target in bench.in_doubt():
            if step not in ("table", "left"):
                raise AssertionError(f"{step} is in doubt")
            settled = bench("settle", bench.last() or "", step, "--not-done", "--reason", "its evidence is not there")
            assert settled.code == 0, settled.err
    raise AssertionError("in doubt for ever")


@pytest.mark.fault(1, 3)
@pytest.mark.parametrize("hit", [1, 2, 3])
@pytest.mark.parametrize("at", POINTS)
def test_evidence_is_taken_once(bench: Bench, at: str, hit: int) -> None:
    name = book(bench)
    sprung, ran = bench.crash("run", name, at=f"{at} {hit}")
    assert sprung or hit > 1, "the point is not reached at all: does it still have this name?"
    if ran.code != 0:
        ran = settle(bench)
    assert ran.code == 0, ran
    found = pieces(bench)
    assert set(found) == {"table.txt", "note", "files/a"}
    assert found["files/a"] == hashlib.sha256(b"a file\n").hexdigest()
    seen = Path(f"{bench.effects_file}.seen").read_text().splitlines()
    assert seen[2] == "a file"
    assert [line.split()[0] for line in seen] == ["taken", "left", "a"]
    bench.check()
    bench.quiet()


@pytest.mark.fault(1)
def test_a_step_that_ends_without_a_runner_has_its_evidence_taken_and_adopted(bench: Bench) -> None:
    fifo = bench.fifo()
    script = f'eval "$MARK"; read x < {fifo}; echo late > "$DURUN_EVIDENCE/note"; echo said'
    path = bench.write(f"steps:\n  - id: one\n    collect: {{run: {json.dumps(script)}, as: out}}\n")
    runner = bench.start("run", str(path))
    with fifo.open("w") as pipe:
        bench.kill(runner.pid)
        pipe.write("\n")
    bench.finish(runner)
    bench.quiet()
    assert bench("resume", bench.last() or "").code == 0
    assert bench.task("one")["how"] == "adopted"
    assert set(pieces(bench)) == {"note", "out"}
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(3)
def test_evidence_that_a_killed_supervisor_left_is_said_to_be_there(bench: Bench) -> None:
    path = bench.write(
        """steps:
  - id: one
    run: 'eval "$MARK"; echo x > "$DURUN_EVIDENCE/note"; kill -9 $PPID; sleep 100'
"""
    )
    ran = bench("run", str(path))
    bench.kill(*bench.steps())
    assert ran.code == 3
    reason = bench.task("one")["reason"]
    assert "evidence that it may have left was not taken, and is in " in reason
    assert (Path(reason.rpartition(" is in ")[2]) / "note").read_text() == "x\n"


SECRET = "correct-horse-battery"
LEAVES = """
steps:
  - id: one
    run: {script}
    env: {{SECRET: "${{{{ secrets.one }}}}"}}
"""
NOTED = 'eval "$MARK"; mkdir "$DURUN_EVIDENCE/deep"; echo "$SECRET" > "$DURUN_EVIDENCE/deep/note"'
REMOVED = "; what it left as evidence is removed, for secrets may be in it"


def secret_book(bench: Bench, script: str) -> str:
    """A runbook whose step is given a secret, which only its script writes anywhere."""
    head = "secrets:\n  one: {command: [printf, 'correct-%s', horse-battery]}"
    return str(bench.write(LEAVES.format(script=json.dumps(script)), head=head))


def in_clear(bench: Bench) -> list[Path]:
    """The files of the state directory that the secret stands in."""
    return [path for path, content in files(bench.home) if SECRET.encode() in content]


def test_nothing_stays_in_clear_of_a_capture_that_is_killed(bench: Bench) -> None:
    sprung, ran = bench.crash("run", secret_book(bench, NOTED), at="supervisor piece.before 1")
    assert (sprung, ran.code) == (True, 1)
    assert bench.task("one")["reason"] == f"its evidence could not be kept: the capture ended with -9{REMOVED}"
    assert in_clear(bench) == []


def test_without_secrets_it_is_said_where_that_lies_which_a_killed_capture_has_not_taken(bench: Bench) -> None:
    path = bench.write('steps:\n  - id: one\n    run: echo x > "$DURUN_EVIDENCE/note"\n')
    sprung, ran = bench.crash("run", str(path), at="supervisor piece.before 1")
    assert (sprung, ran.code) == (True, 1)
    why, _, place = bench.task("one")["reason"].rpartition(" is in ")
    assert why.startswith("its evidence could not be kept: the capture ended with -9; ")
    assert (Path(place) / "note").read_text() == "x\n"


def test_nothing_stays_in_clear_of_a_capture_that_is_killed_when_all_is_taken(bench: Bench) -> None:
    sprung, ran = bench.crash("run", secret_book(bench, NOTED), at="supervisor clear.before 1")
    assert (sprung, ran.code) == (True, 0)
    assert set(pieces(bench)) == {"deep/note"}
    assert in_clear(bench) == []


@pytest.mark.fault(9)
@pytest.mark.parametrize("point", ["capture.before", "capture.after", "captured.before"])
def test_nothing_stays_in_clear_once_the_attempt_of_a_killed_supervisor_is_settled(bench: Bench, point: str) -> None:
    sprung, ran = bench.crash("run", secret_book(bench, NOTED), at=f"supervisor {point} 1")
    assert (sprung, ran.code) == (True, 3)
    assert bench.task("one")["reason"].startswith("its supervisor was killed")
    assert in_clear(bench) == []


@pytest.mark.fault(9)
def test_what_a_step_still_writes_whose_supervisor_was_killed_goes_when_it_ends(bench: Bench) -> None:
    """Also if whoever was to say so was killed once it was gone."""
    ran = bench("run", secret_book(bench, f"{NOTED}; kill -9 $PPID; read x < {bench.fifo()}"))
    assert ran.code == 3
    (note,) = in_clear(bench)
    assert f" is in {note.parents[1]}" in bench.task("one")["reason"], "it is not taken from under the step's feet"
    bench.kill(*bench.steps())
    sprung, _ = bench.crash("resume", bench.last() or "", at="runner append.before 1")
    assert sprung
    assert bench("resume", bench.last() or "").code == 3
    assert bench.task("one")["reason"].endswith(REMOVED)
    assert in_clear(bench) == []


@pytest.mark.fault(9)
def test_what_was_left_by_a_step_that_somebody_knows_to_be_done_goes_with_the_run(bench: Bench) -> None:
    script = f"{NOTED}; kill -9 $PPID; read x < {bench.fifo()}"
    assert bench("run", secret_book(bench, script)).code == 3
    run = bench.last() or ""
    assert bench("settle", run, "one", "--done", "--reason", "its work is seen").code == 0
    assert bench("resume", run).code == 0
    assert in_clear(bench) == []


@pytest.mark.fault(9)
def test_what_was_left_by_a_step_that_somebody_knows_to_be_gone_goes_with_the_next_resume(bench: Bench) -> None:
    script = f"{NOTED}; kill -9 $PPID; read x < {bench.fifo()}"
    assert bench("run", secret_book(bench, script)).code == 3
    (first,) = in_clear(bench)
    bench.kill(*bench.steps())
    run = bench.last() or ""
    assert bench("settle", run, "one", "--not-done", "--reason", "it was stopped").code == 0
    assert bench("resume", run).code == 3
    (second,) = in_clear(bench)
    assert second != first, "that of the attempt which still runs"
