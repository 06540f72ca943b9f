"""Ways in which a secret could get out although every sink is watched, and what must happen instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until
from stored import everything

SECRET = "48151623 42"

USES = """
  - id: uses
    env: {ONE: "${{ secrets.one }}"}
    run: "true"
"""
"""A secret that no step names is not had, and so not known."""


def book(bench: Bench, steps: str, secrets: str = "{one: {env: ONE}}", head: str = "") -> str:
    return str(bench.write(f"steps:\n{steps}", head=f"secrets: {secrets}\n{head}"))


@pytest.mark.fault(31)
def test_a_value_that_no_attempt_was_given_yet_is_known_to_the_supervisor(bench: Bench) -> None:
    """It was made in the same turn as another step was started, after that."""
    steps = """
  - {id: first, needs: [], run: echo hi}
  - {id: made, needs: [], generate: {password: {length: 30, require: []}}}
  - id: shows
    needs: [first, made]
    env: {VALUE: "${{ steps.made.outputs.password }}"}
    run: echo "it is $VALUE"
"""
    assert bench("run", book(bench, steps), env={"ONE": "x"}).code == 0
    assert bench("logs", bench.last() or "", "shows").out == "it is ***\n"


@pytest.mark.fault(31)
def test_nothing_is_kept_of_a_step_with_secret_outputs_that_says_redact(bench: Bench) -> None:
    steps = """
  - id: token
    redact: true
    outputs: {token: {secret: true}, more: {from: stdout}}
    run: 'echo token=t-0815-token >> "$DURUN_OUTPUT"; echo seen; echo seen >&2'
"""
    assert bench("run", book(bench, steps), env={"ONE": "x"}).code == 0
    assert bench("logs", bench.last() or "").out == ""
    assert bench.task("token")["outputs"] == {"more": "seen"}


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("given", "outputs"),
    [("ONE: ${{ secrets.one }}", "token=t-0815-token"), ("NONE: x", "token=123")],
    ids=["given", "made"],
)
def test_nothing_is_shown_of_a_step_with_a_value_that_is_too_short(bench: Bench, given: str, outputs: str) -> None:
    steps = f"""
  - id: token
    env: {{{given!s}}}
    outputs: {{token: {{secret: true}}}}
    run: 'echo {outputs} >> "$DURUN_OUTPUT"; echo "in the text: 123" >&2'
""".replace("${{ secrets.one }}", '"${{ secrets.one }}"')
    assert bench("run", book(bench, steps), env={"ONE": "123"}).code == 0
    assert bench("logs", bench.last() or "").out == ""
    told = bench.task("token")["attempts"][0]["log"]["stderr"]
    assert (told["bytes"], told["cut"]) == (17, True)


def test_an_output_is_taken_from_what_is_not_kept(bench: Bench) -> None:
    """A value that is too short to be found keeps the output from being kept, and not from being an output."""
    steps = """
  - id: one
    env: {ONE: "${{ secrets.one }}"}
    outputs: {name: {from: stdout}}
    run: echo north
"""
    assert bench("run", book(bench, steps), env={"ONE": "123"}).code == 0
    assert bench.task("one")["outputs"] == {"name": "north"}
    assert bench("logs", bench.last() or "").out == ""


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("output", "script"),
    [
        ("{type: integer}", 'echo "it=${ONE% *}" >> "$DURUN_OUTPUT"'),
        ("{type: object}", 'echo "it={\\"$ONE\\": 1}" >> "$DURUN_OUTPUT"'),
        ("{from: stdout}", 'echo "https://me:$ONE@host"'),
        ("{json: url}", 'echo "{\\"url\\": \\"https://me:$ONE@host\\"}"'),
    ],
    ids=["number", "key", "stdout", "json"],
)
def test_a_plain_output_that_holds_a_secret_fails_the_step(bench: Bench, output: str, script: str) -> None:
    """Also where a mark stands in its place by now: that would be a wrong value for later steps."""
    secret = "48151623" if "integer" in output else SECRET
    steps = f"""
  - id: one
    env: {{ONE: "${{{{ secrets.one }}}}"}}
    outputs: {{it: {output}}}
    run: |
      {script}
"""
    ran = bench("run", book(bench, steps), env={"ONE": secret})
    assert ran.code == 1
    assert "declare it `secret: true`" in ran.out
    assert secret.encode() not in everything(bench.home)


def test_a_plain_output_beside_a_secret_on_stdout_is_taken(bench: Bench) -> None:
    steps = """
  - id: one
    env: {ONE: "${{ secrets.one }}"}
    outputs: {id: {json: id}}
    run: |
      echo "{\\"id\\": \\"seven\\", \\"token\\": \\"$ONE\\"}"
"""
    ran = bench("run", book(bench, steps), env={"ONE": SECRET})
    assert ran.code == 0, ran
    assert bench.task("one")["outputs"] == {"id": "seven"}


@pytest.mark.fault(31)
def test_a_target_that_holds_a_secret_in_the_open_fails_the_step(bench: Bench) -> None:
    steps = """
  - id: each
    targets: {run: 'echo "https://me:$(cat one)@host"'}
    run: 'eval "$MARK"'
"""
    (bench.book / "one").write_text(SECRET)
    (bench.book / "one").chmod(0o600)
    ran = bench("run", book(bench, steps + USES, "{one: {file: ./one}}"))
    assert ran.code == 1
    assert "a target holds a secret in the open" in ran.out
    assert not bench.effects()


@pytest.mark.fault(31)
def test_lines_of_a_key_that_was_written_without_a_mark_for_its_end(bench: Bench) -> None:
    """The last of them looks like `name=`."""
    line = "AASCAT8wggE7AgEAAkEAq7BFUpkGp3LrmLQ"
    (bench.folder / "key").write_text(f"-----BEGIN\nMIIBVQIBADAN+gkq\n{line}=\nEND\n")
    steps = f"""
  - id: key
    outputs: {{key: {{secret: true}}}}
    run: |
      echo "key=$(cat {bench.folder}/key)" >> "$DURUN_OUTPUT"
      echo "there is $(sed -n '3s/=//p' {bench.folder}/key)" >&2
"""
    ran = bench("run", book(bench, steps))
    assert ran.code == 1
    assert line not in ran.out + bench("logs", bench.last() or "").out
    assert line.encode() not in everything(bench.home)


def test_a_source_is_asked_once_for_an_attempt(bench: Bench) -> None:
    """It may give a new value each time: all of an attempt gets the same one."""
    (bench.book / "next").write_text(f"#!/bin/sh\necho x >> {bench.folder}/asked\nwc -l < {bench.folder}/asked\n")
    (bench.book / "next").chmod(0o700)
    secrets = "{one: {command: [./next]}}"
    steps = f"""
  - id: one
    env: {{A: "${{{{ secrets.one }}}}", B: "<${{{{ secrets.one }}}}>"}}
    stdin: "${{{{ secrets.one }}}}"
    run: echo "$A $B $(cat)" > {bench.folder}/got
"""
    assert bench("run", book(bench, steps, secrets)).code == 0
    assert (bench.folder / "got").read_text() == "2 <2> 2\n"


@pytest.mark.fault(31)
def test_an_internal_error_is_redacted_before_it_is_shortened(bench: Bench, tmp_path: Path) -> None:
    """What is left of a secret that is cut, or whose spaces were joined, would not be found any more."""
    secret = f"{'a b' * 3}  {'c d ' * 60}end"
    from durun.cli import screen
    from durun.secrets.known import redactor

    redactor().add([secret])
    message = screen._internal_error(ValueError(f"it was {secret}"))
    assert message == "internal error: ValueError: it was ***"
    assert json.dumps(secret)[1:40] not in message


@pytest.mark.fault(31)
def test_a_field_of_a_target_is_not_told_by_what_is_wrong_with_the_list(bench: Bench) -> None:
    """Lines instead of mappings, two of them equal."""
    (bench.book / "list").write_text(f"https://me:{SECRET}@host\n" * 2)
    ran = bench("run", book(bench, "  - {id: each, targets: {run: cat list}, secret_fields: [dsn], run: 'true'}\n"))
    assert ran.code == 1
    assert "needs targets that are mappings" in ran.out
    assert SECRET.encode() not in everything(bench.home)


FINALLY = """
  - id: made
    outputs: {token: {secret: true}}
    run: 'echo "token=tok-$((4700 + 11))-tok" >> "$DURUN_OUTPUT"'
  - id: waits
    run: 'eval "$MARK"; read -r _ < FIFO || true'
finally:
  - {id: tells, run: 'echo "cleaning up after tok-$((4700 + 11))-tok"'}
"""


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("key", "verb"), [("there", "resume"), ("there", "cancel"), ("lost", "cancel")], ids=["resume", "cancel", "lost"]
)
def test_a_session_knows_what_earlier_ones_have_sealed(bench: Bench, key: str, verb: str) -> None:
    """And without the key nothing is kept of what steps write: a run must be given up without it, too."""
    fifo = bench.fifo()
    process = bench.start("run", book(bench, FINALLY.replace("FIFO", str(fifo))))
    wait_until(lambda: bench.effects()["waits"] == 1)
    bench.kill(process.pid)
    bench.finish(process)
    bench.let_go(fifo)
    bench.quiet()
    if key == "lost":
        (bench.home / "seal.key").unlink()
    reason = ["--reason", "enough"] if verb == "cancel" else []
    assert bench(verb, bench.last() or "", *reason).code in (0, 12)
    assert bench.state().record.status == ("cancelled" if verb == "cancel" else "succeeded")
    said = "cleaning up after ***\n" if key == "there" else ""
    assert bench("logs", bench.last() or "", "tells").out == said
    assert b"tok-4711" not in everything(bench.home)


def test_secret_files_of_a_question_are_removed_if_all_was_killed(bench: Bench) -> None:
    fifo = bench.fifo()
    steps = f"""
  - id: one
    run: 'eval "$MARK"'
    verify:
      run: |
        test ! -e {bench.folder}/asked || exit 1
        touch {bench.folder}/asked; read -r _ < {fifo}
      secret_files: {{ONE: "${{{{ secrets.one }}}}"}}
      not_done_on: [1]
      before: true
"""
    process = bench.start("run", book(bench, steps), env={"ONE": SECRET})
    wait_until((bench.folder / "asked").exists)
    bench.kill(process.pid, *bench.processes())
    bench.finish(process)
    assert left_in_memory(bench)
    assert bench("resume", bench.last() or "", env={"ONE": SECRET}).code == 0
    assert not left_in_memory(bench)
    assert bench.effects() == {"one": 1}


def left_in_memory(bench: Bench) -> list[str]:
    """The secret files of this state directory's attempts and questions."""
    gates = b"".join(path.read_bytes() for path in bench.home.glob("runs/*/attempts/*/gate"))
    return [one.name for one in Path("/dev/shm").glob("durun-*") if one.name.removeprefix("durun-").encode() in gates]
