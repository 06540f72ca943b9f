"""Warnings: what is allowed and probably not meant."""

from __future__ import annotations

import pytest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "restore.sh").write_text("x")
    (tmp_path / "alter.sql").write_text("x")
    (tmp_path / "plain").write_text("x")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("step", "place", "word"),
    [
        ("- id: a\n  run: psql -f alter.sql\n", "5:16", "alter.sql"),
        ("- id: a\n  run: [psql, -f, alter.sql]\n", "5:19", "alter.sql"),
        ("- id: a\n  run: |\n    true\n    ./scripts/restore.sh --now\n", "7:5", "./scripts/restore.sh"),
        ("- id: a\n  run: x\n  verify: {run: scripts/restore.sh, not_done_on: [1]}\n", "6:17", "scripts/restore.sh"),
        ("- id: a\n  run: x\n  targets: {file: alter.sql}\n", "6:19", "alter.sql"),
        ("- id: a\n  run: x\n  targets: {run: cat alter.sql}\n", "6:22", "alter.sql"),
        ("- id: g\n  steps:\n  - id: a\n    run: cat alter.sql\n", "7:14", "alter.sql"),
    ],
)
def test_a_helper_file_that_is_not_listed(step, place, word, folder, warnings):
    assert warnings(f"steps:\n{step}", folder) == [
        f"book.yaml:{place}: `{word}` stands beside the runbook and isn't in `files` "
        f"(add {word} to `files`, so that a resume still runs what was started)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "files: [alter.sql]\nsteps:\n- id: a\n  run: psql -f alter.sql\n",
        "files: ['*.sql']\nsteps:\n- id: a\n  run: psql -f ./alter.sql\n",
        "steps:\n- id: a\n  files: ['scripts/*']\n  run: scripts/restore.sh\n",
        "steps:\n- id: a\n  run: cat /etc/passwd ../x plain missing.txt\n",
        "steps:\n- id: a\n  run: cat scripts\n",
    ],
)
def test_what_is_listed_elsewhere_or_not_there_is_no_warning(text, folder, warnings):
    assert warnings(text, folder) == []


def test_without_a_folder_nothing_is_looked_up(folder, warnings, monkeypatch):
    monkeypatch.chdir(folder)
    assert warnings("steps:\n- id: a\n  run: psql -f alter.sql\n") == []


def test_a_verify_that_never_says_not_done(warnings):
    (warning,) = warnings("steps:\n- id: a\n  run: x\n  verify: {run: y}\n")
    assert warning.startswith('book.yaml:6:3: this verify can never answer "not done" (add the exit codes')


def test_a_verify_that_gives_no_outputs(warnings):
    text = "steps:\n- id: a\n  run: x\n  outputs: {o: }\n  verify: {run: %s, not_done_on: [1]}\n"
    (warning,) = warnings(text % "test -f x")
    assert warning.startswith("book.yaml:7:3: this verify doesn't give the output `o`")
    assert warnings(text % "echo o=1 >> $DURUN_OUTPUT") == []


def test_a_secret_s_file_is_not_to_be_listed(folder, warnings):
    secrets = "secrets: {a: {file: alter.sql}}\n"
    fan = "targets: {file: scripts/restore.sh}, target_key: a, secret_fields: [b]"
    text = secrets + f"steps:\n- {{id: a, run: cat alter.sql, stdin: '${{{{ secrets.a }}}}', {fan}}}\n"
    assert warnings(text, folder) == []


def test_a_secret_that_nobody_names(warnings):
    text = "secrets:\n  a: {env: A}\n  b: {env: B}\nsteps: [{id: a, run: x, stdin: '${{ secrets.b }}'}]\n"
    assert warnings(text) == ["book.yaml:4:3: no step names the secret `a` (remove it)"]


def test_a_secret_that_steps_inherit(warnings):
    text = (
        "secrets: {a: {env: AWS_KEY}}\ninherit_env: [B, 'AWS_*']\n"
        "steps: [{id: a, run: x, stdin: '${{ secrets.a }}', inherit_env: [AWS_KEY]}]\n"
    )
    assert warnings(text) == [
        "book.yaml:4:18: `AWS_*` hands the secret `a` to steps that don't name it (leave AWS_KEY out)",
        "book.yaml:5:66: `AWS_KEY` hands the secret `a` to steps that don't name it (leave AWS_KEY out)",
    ]


def test_an_input_that_may_be_left_out(warnings):
    text = (
        "inputs: {a: {}, b: {default: x}, c: {required: true}, d: {}, e: {}, unread: {}}\nsteps:\n"
        "- id: one\n  run: [echo, '${{ inputs.a }}', '${{ inputs.b }}', '${{ inputs.c }}', '${{ inputs.a }}']\n"
        "- id: two\n  if: inputs.d is defined\n  run: [echo, '${{ inputs.d }}', \"${{ inputs.e | default('x') }}\"]\n"
    )
    assert warnings(text) == [
        "book.yaml:6:20: the input `a` may be left out, and then this fails "
        "(give the input `required: true` or a `default`, or write `inputs.a | default(…)`)"
    ]


def test_an_output_of_a_step_that_may_be_skipped(warnings):
    text = (
        "inputs: {a: {type: boolean, default: true}}\nsteps:\n"
        "- {id: one, if: inputs.a, run: x, outputs: {o: {}}}\n"
        "- {id: two, run: [echo, '${{ steps.one.outputs.o }}']}\n"
        "- {id: three, if: inputs.a, run: [echo, '${{ steps.one.outputs.o }}']}\n"
        "- {id: four, run: [echo, \"${{ steps.one.outputs.o | default('none') }}\", '${{ steps.one.status }}']}\n"
        "outputs: {o: '${{ steps.one.outputs.o }}'}\n"
    )
    hint = "`one` may be skipped, and then it has no outputs (write `| default(…)` behind it)"
    assert warnings(text) == [f"book.yaml:6:30: {hint}", f"book.yaml:9:19: {hint}"]


def test_a_plain_value_that_is_kept(warnings):
    put = "{id: b, secret: {put: {service: s, username: u, value: %s}}}"
    text = "steps: [{id: a, generate: {token: {}}}, " + put + "]\n"
    assert warnings(text % "'${{ steps.a.outputs.token }}'") == []
    assert warnings(text % "'x ${{ run.id }}'") == [
        "book.yaml:3:96: what is put into the keyring is journalled too "
        "(take a secret, an input with `secret: true`, or what a step gave with `secret: true`)"
    ]


@pytest.mark.parametrize(
    ("header", "targets", "every"),
    [
        ("Idempotency-Key: grant", "", "in every run"),
        ("idempotency-key: '${{ inputs.change }}'", "", ""),
        ("Idempotency-Key: null", "", ""),
        ("X-Key: grant", "", ""),
        ("idempotency-Key: grant", "targets: [a, b], ", "for every target"),
        ("Idempotency-Key: '${{ run.id }}'", "targets: [a, b], ", "for every target"),
        ("Idempotency-Key: '${{ run.id }}-${{ target.value }}'", "targets: [a, b], ", ""),
        ("Idempotency-Key: 'urn:x:${{ step.idempotency_key }}'", "targets: [a, b], ", ""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_key_that_two_requests_would_share(header, targets, every, method, warnings):
    text = f"inputs: {{change: {{required: true}}}}\nsteps:\n- id: a\n  {targets.replace('], ', ']')}\n  http:\n"
    text += f"    method: {method}\n    url: https://x.example/\n    headers: {{{header}}}\n"
    told = (
        f"book.yaml:10:15: this key takes the place of durun's, and is the same {every} "
        "(leave it out, or make it of ${{ step.idempotency_key }})"
    )
    assert warnings(text) == ([told] if every and method == "POST" else [])


def test_a_key_that_the_requests_of_a_group_would_share(warnings):
    text = "steps:\n- id: g\n  targets: [a, b]\n  steps:\n  - id: a\n    run: x\n    rollback:\n      http:\n"
    text += (
        "        method: DELETE\n        url: https://x.example/\n        headers: {Idempotency-Key: '${{ run.id }}'}\n"
    )
    (warning,) = warnings(text)
    assert warning.startswith("book.yaml:13:19: this key takes the place of durun's, and is the same for every target")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("files: [alter.sql, gone.sql]\nsteps:\n- id: a\n  run: x\n", "3:20"),
        ("steps:\n- id: a\n  run: x\n  files: ['scripts/**', 'gone.sql']\n", "6:25"),
    ],
)
def test_helper_files_that_are_not_there(text, place, folder, warnings):
    told = f"book.yaml:{place}: nothing matches `gone.sql`, and no run is started without it"
    told += " (correct the glob, or leave it out)"
    assert [one for one in warnings(text, folder) if "gone.sql" in one] == [told]
    assert not [one for one in warnings(text) if "gone.sql" in one]


def test_a_folder_is_no_helper_file(folder, warnings):
    """A run would be refused: a glob chooses files."""
    found = warnings("files: [scripts]\nsteps:\n- id: a\n  run: scripts/restore.sh\n", folder)
    assert [one.partition(": ")[2].partition(" (")[0] for one in found] == [
        "nothing matches `scripts`, and no run is started without it",
        "`scripts/restore.sh` stands beside the runbook and isn't in `files`",
    ]
