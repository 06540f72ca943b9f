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
        "files: [scripts]\nsteps:\n- id: a\n  run: scripts/restore.sh\n",
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
