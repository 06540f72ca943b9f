"""What a good file becomes, and how a file is found."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from durun.errors import InvalidRunbook, UsageError
from durun.language.load import load, read_file
from durun.model.runbook import (
    Action,
    Input,
    Output,
    RetrySpec,
    Shell,
    TargetsFile,
    TargetsMatrix,
    TargetsRun,
    TargetsValue,
)
from durun.model.values import Expression, Template

ROOT = Path(__file__).parents[3]
BASH = ("bash", "--noprofile", "--norc", "-euo", "pipefail", "{0}")


def test_a_file_becomes_a_runbook(runbook):
    text = (
        "description: Why.\ncontrols: [A:1]\nenv: {X: 1, Y: null, Z: 'a ${{ env.HOME }}'}\ninherit_env: ['AWS_*']\n"
        "files: [a.sql]\nrequires: {commands: [psql], groups: [dba]}\nmax_parallel: 3\n"
        "steps:\n- id: a\n  run: echo\n  files: [b.sh, a.sql]\noutputs: {o: '${{ steps.a.status }}'}\n"
    )
    book = runbook(text)
    assert (book.name, book.description, book.controls) == ("test", "Why.", ("A:1",))
    assert book.env == {"X": 1, "Y": None, "Z": Template(("a ", Expression("env.HOME")))}
    assert (book.inherit_env, book.files, book.max_parallel) == (("AWS_*",), ("a.sql", "b.sh"), 3)
    assert (book.requires.commands, book.requires.groups) == (("psql",), ("dba",))
    assert book.outputs == {"o": Template((Expression("steps.a.status"),))}
    assert book.env_names == ("HOME",)
    assert book.digest == hashlib.sha256(book.text.encode()).hexdigest()
    assert book.text.endswith(text)


def test_a_step_without_anything_else(runbook):
    (step,) = runbook("steps:\n- id: a\n  run: |\n    echo\n").steps
    assert (step.id, step.line, step.needs, step.on_in_doubt) == ("a", 4, (), "ask")
    assert step.call is not None
    assert step.call.action == Action("run", "echo\n")
    assert step.call.shell == Shell(BASH, ".sh")
    assert (step.call.timeout, step.retry) == (None, RetrySpec())


def test_needs_are_the_step_before_where_nothing_is_said(runbook):
    book = runbook(
        "steps:\n- {id: a, run: x}\n- {id: b, run: x}\n- {id: c, run: x, needs: []}\n"
        "- {id: d, run: x, needs: [a, c, a]}\n"
        "- id: g\n  steps:\n  - {id: e, run: x}\n  - {id: f, run: x}\nfinally:\n- {id: h, run: x}\n- {id: i, run: x}\n"
    )
    needs = {step.id: step.needs for step in book.every_step()}
    assert needs == {
        "a": (), "b": ("a",), "c": (), "d": ("a", "c"), "g": ("d",), "e": (), "f": ("e",), "h": (), "i": ("h",),
    }  # fmt: skip


def test_defaults_are_for_every_command_that_says_nothing(runbook):
    a, b, group = runbook(
        "defaults: {timeout: 5m, retry: {max_attempts: 3, delay: 5s}, shell: sh, on_in_doubt: fail}\nsteps:\n"
        "- {id: a, run: x}\n"
        "- {id: b, run: x, timeout: 1s, retry: {delay: 9s}, shell: python, on_in_doubt: ask}\n"
        "- {id: g, steps: [{id: c, run: x}]}\n"
    ).steps
    assert (a.call.timeout, a.retry, a.call.shell, a.on_in_doubt) == (
        "5m",
        RetrySpec(max_attempts=3, delay="5s"),
        Shell(("sh", "-eu", "{0}"), ".sh"),
        "fail",
    )
    assert (b.call.timeout, b.retry, b.call.shell, b.on_in_doubt) == (
        "1s",
        RetrySpec(max_attempts=3, delay="9s"),
        Shell(("python3", "{0}"), ".py"),
        "ask",
    )
    assert group.steps[0].call.timeout == "5m"


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ("", "ask"), ("idempotent: true", "rerun"), ("idempotent: {ttl: 24h}", "rerun"),
        ("verify: {run: x, not_done_on: [1]}", "verify"),
        ("idempotent: true\n  verify: {run: x, not_done_on: [1]}", "verify"),
        ("idempotent: true\n  on_in_doubt: ask", "ask"),
    ],
)  # fmt: skip
def test_what_happens_in_doubt_where_nothing_is_said(said, policy, runbook):
    assert runbook(f"steps:\n- id: a\n  run: x\n  {said}\n").steps[0].on_in_doubt == policy


def test_verify_has_its_steps_surroundings_under_its_own(runbook):
    (step,) = runbook(
        "steps:\n- id: a\n  run: x\n  env: {A: 1, B: 2}\n  shell: sh\n  working_directory: /tmp\n  timeout: 9s\n"
        "  verify: {run: [y], env: {B: 3}, done_on: [0, 5], not_done_on: [4], before: true, settle: 10s}\n"
    ).steps
    verify = step.verify
    assert verify.call.env == {"A": 1, "B": 3}
    assert (verify.call.shell.argv[0], verify.call.working_directory, verify.call.timeout) == ("sh", "/tmp", None)
    assert (verify.done_on, verify.not_done_on, verify.before, verify.after, verify.settle) == (
        (0, 5), (4,), True, False, "10s",
    )  # fmt: skip


def test_secret_files_are_a_step_s_and_its_verify_s(runbook):
    (step,) = runbook(
        "steps:\n- id: a\n  run: x\n  env: {A: 1, B: 2}\n  secret_files: {K: k, L: l}\n"
        "  verify: {run: [y], env: {L: 3}, secret_files: {B: b}, not_done_on: [4]}\n"
    ).steps
    assert step.call.secret_files == {"K": "k", "L": "l"}
    assert step.verify.call.secret_files == {"K": "k", "B": "b"}
    assert step.verify.call.env == {"A": 1, "L": 3}


@pytest.mark.parametrize("spec", ["put: {service: s, username: u, value: v}", "delete: {service: s, username: u}"])
def test_a_change_of_the_keyring_brings_its_own_verify(spec, runbook):
    (step,) = runbook(
        "defaults: {timeout: 9s, on_in_doubt: ask}\n"
        f"steps:\n- id: a\n  secret: {{{spec}}}\n  retry: {{max_attempts: 3}}\n"
    ).steps
    verb, details = spec.split(": ", 1)
    said = {verb: dict(pair.split(": ") for pair in details[1:-1].split(", "))}
    assert step.call.action == Action("secret", said)
    assert (step.call.timeout, step.retry.max_attempts) == ("9s", 3)
    assert step.verify.call.action == Action("secret_check", said)
    assert (step.verify.done_on, step.verify.not_done_on) == ((0,), (1,))
    assert (step.idempotent, step.on_in_doubt) == (True, "verify")


def test_secret_fields_of_targets(runbook):
    fan = (
        runbook("steps:\n- {id: a, run: x, targets: {run: y}, target_key: k, secret_fields: [a, b]}\n").steps[0].fan_out
    )
    assert fan.secret_fields == ("a", "b")


def test_secret_inputs_and_outputs(runbook):
    book = runbook(
        "inputs: {a: {secret: true, type: integer}}\nsteps: [{id: a, run: x, outputs: {o: {secret: true}}}]\n"
    )
    assert book.inputs == {"a": Input({"type": "integer"}, secret=True)}
    assert book.steps[0].outputs == {"o": Output(secret=True)}
    assert book.steps[0].secret_outputs == {"o"}


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("[{host: b}]", TargetsValue(({"host": "b"},))),
        ("${{ inputs.l }}", TargetsValue(Template((Expression("inputs.l"),)))),
        ("{file: t.yaml}", TargetsFile("t.yaml")),
        ("{matrix: {a: [1, 2], b: '${{ inputs.l }}'}}",
         TargetsMatrix({"a": (1, 2), "b": Template((Expression("inputs.l"),))})),
    ],
)  # fmt: skip
def test_sources_of_targets(written, source, runbook):
    book = runbook(
        f"inputs: {{l: {{type: array}}}}\nsteps:\n- id: a\n  run: x\n  targets: {written}\n  target_key: k\n"
        "  max_parallel: 2\n  serial: [1, 50%]\n  max_failures: 10%\n"
    )
    fan = book.steps[0].fan_out
    assert fan.source == source
    assert (fan.target_key, fan.max_parallel, fan.serial, fan.max_failures) == ("k", 2, (1, "50%"), "10%")


def test_targets_of_a_command(runbook):
    fan = runbook("steps:\n- id: a\n  run: x\n  targets: {run: [ls, 5], timeout: 5s, env: {A: b}}\n").steps[0].fan_out
    assert isinstance(fan.source, TargetsRun)
    call = fan.source.call
    assert (call.action, call.timeout, call.env) == (Action("run", ("ls", "5")), "5s", {"A": "b"})


def test_actions_that_start_nothing(runbook):
    a, b, c = runbook(
        "steps:\n- {id: a, assert: {that: 'run.id != \"\"', message: 'no ${{ run.id }}'}}\n"
        "- {id: b, generate: {uuid: }}\n- {id: c, generate: {choice: {from: [x, y]}}}\n"
    ).steps
    assert a.call.action == Action(
        "assert", {"that": Expression('run.id != ""'), "message": Template(("no ", Expression("run.id")))}
    )
    assert b.call.action == Action("generate", {"uuid": {}})
    assert c.call.action == Action("generate", {"choice": {"from": ("x", "y")}})


def test_conditions(runbook):
    bare, whole, plain = runbook(
        "steps:\n- {id: a, run: x, if: env.A == 'b'}\n- {id: b, run: x, if: \"${{ env.A == 'b' }}\"}\n"
        "- {id: c, run: x, if: false}\n"
    ).steps
    assert bare.condition == whole.condition == Expression("env.A == 'b'")
    assert plain.condition == Expression("false")


def test_outputs(runbook):
    a, group = runbook(
        "steps:\n- id: a\n  run: x\n  outputs: {w: , x: {type: integer}, y: {from: stdout}, z: {json: a.b}}\n"
        "- id: g\n  steps: [{id: b, run: x}]\n  outputs: {o: '${{ steps.b.status }}'}\n"
    ).steps
    assert a.outputs == {
        "w": Output(), "x": Output("integer"), "y": Output(source="stdout"), "z": Output(source="stdout", json="a.b"),
    }  # fmt: skip
    assert group.group_outputs == {"o": Template((Expression("steps.b.status"),))}
    assert (group.call, [step.id for step in group.steps]) == (None, ["b"])


@pytest.mark.parametrize("file", sorted((ROOT / "runbooks").glob("*.yaml")), ids=lambda file: file.name)
def test_the_runbooks_that_come_with_durun_are_valid(file):
    assert load(read_file(str(file)), file.name, str(file.parent)).warnings == ()


class TestReadFile:
    def test_a_missing_file_names_what_is_near(self, tmp_path):
        (tmp_path / "rotate.yaml").write_text("x")
        with pytest.raises(UsageError) as caught:
            read_file(str(tmp_path / "rotaet.yaml"))
        assert caught.value.hint == f"did you mean `{tmp_path / 'rotate.yaml'}`?"

    def test_a_missing_ending_is_added(self, tmp_path):
        (tmp_path / "rotate.yaml").write_text("x")
        with pytest.raises(UsageError) as caught:
            read_file(str(tmp_path / "rotate"))
        assert caught.value.hint == f"did you mean `{tmp_path / 'rotate.yaml'}`?"

    def test_a_missing_folder_is_said(self, tmp_path):
        with pytest.raises(UsageError) as caught:
            read_file(str(tmp_path / "no" / "x.yaml"))
        assert caught.value.hint == f"there is no folder {tmp_path / 'no'}"

    def test_a_folder_is_no_file(self, tmp_path):
        (tmp_path / "a.yaml").write_text("x")
        with pytest.raises(UsageError, match="is a folder") as caught:
            read_file(str(tmp_path))
        assert caught.value.hint == "there is a.yaml"

    def test_a_fifo_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="is not a file"):
            read_file(str(tmp_path / "pipe"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file(self, tmp_path):
        file = tmp_path / "a.yaml"
        file.write_text("x")
        file.chmod(0)
        with pytest.raises(UsageError, match="can't be read: Permission denied"):
            read_file(str(file))

    @pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
    def test_a_name_that_can_be_none(self, name):
        with pytest.raises(UsageError, match="can't be read"):
            read_file(name)

    def test_more_than_a_mebibyte(self, tmp_path):
        file = tmp_path / "a.yaml"
        file.write_bytes(b"x" * (1024 * 1024 + 1))
        with pytest.raises(InvalidRunbook, match="larger than 1 MiB"):
            read_file(str(file))


def test_the_text_and_digest_are_those_of_the_file_as_it_is():
    raw = b"durun: 1\r\nname: x\r\nsteps:\r\n- id: a\r\n  run: |\r\n    one\r\n    two\r\n"
    book = load(raw, "book.yaml").runbook
    assert (book.text.encode(), book.digest) == (raw, hashlib.sha256(raw).hexdigest())
    assert book.steps[0].call.action.spec == "one\ntwo\n"
    assert book.steps[0].line == 4
