"""`secrets`: each one provider, whose name and spec are checked before anything runs."""

from __future__ import annotations

import importlib.metadata

import pytest

from durun.language.sources import chosen_by
from durun.model.runbook import Secret
from durun.model.values import Expression, Template

HEAD = "durun: 1\nname: x\nsteps: [{id: a, run: x}]\n"
STEPS = "steps: [{id: a, run: x}]\n"


def test_every_provider_is_read(runbook):
    text = """\
inputs: {role: {default: app}}
secrets:
  a: {keyring: {service: s, username: "${{ inputs.role }}"}}
  b: {env: NAME}
  c: {file: token}
  d: {command: [pass, show, x]}
  e: {command: {argv: [op, read, "op://x"], timeout: 10s}}
"""
    username = Template((Expression("inputs.role"),))
    assert runbook(text + STEPS).secrets == {
        "a": Secret("keyring", {"service": "s", "username": username}, 5),
        "b": Secret("env", "NAME", 6),
        "c": Secret("file", "token", 7),
        "d": Secret("command", ("pass", "show", "x"), 8),
        "e": Secret("command", {"argv": ("op", "read", "op://x"), "timeout": "10s"}, 9),
    }


EXACTLY = "`a` must be a mapping with exactly one of keyring, env, file, command"
WRONG = {
    "two": ("a: {env: A, file: b}", "a", EXACTLY, ""),
    "none": ("a: {}", "a", EXACTLY, ""),
    "a value": ("a: hunter2", "hunter2", EXACTLY, "a value never stands in a runbook"),
    "nothing": ("a:", "a", EXACTLY, ""),
    "a capital": ("A: {env: A}", "A", "`A` isn't a name of a-z, 0-9 and _", "write `a`"),
    "another's word": (
        "a: {vault: {path: x}}",
        "vault",
        "there is no provider `vault` of secrets",
        "command: [PROGRAM",
    ),
    "a slip": (
        "a: {keyrin: {service: x}}",
        "keyrin",
        "there is no provider `keyrin` of secrets",
        "did you mean `keyring`?",
    ),
    "a strange word": (
        "a: {zzzz: 1}",
        "zzzz",
        "there is no provider `zzzz`",
        "there are keyring, env, file, command; a plugin",
    ),
    "no name of a provider": ("a: {Vault: 1}", "Vault", "`Vault` isn't the name of a provider", "write `vault`"),
    "a value again": ("a: {value: hunter2}", "value", "there is no provider `value`", "never stands in a runbook"),
    "no username": ("a: {keyring: {service: x}}", "keyring", "`keyring` needs `username:`", ""),
    "a key of keyring": (
        "a: {keyring: {service: x, user: y, username: z}}",
        "user",
        "unknown key `user` in `keyring`",
        "write `username:`",
    ),
    "a variable's name": ("a: {env: A-B}", "A-B", "`env` must be a variable name", ""),
    "a path": ("a: {file: [x]}", "file", "`file` must be a path, not a list", ""),
    "a script": ("a: {command: pass show x}", "pass show x", "`command` must be a command with its arguments", ""),
    "no argv": ("a: {command: {timeout: 1s}}", "command", "`command` needs `argv:`", "write `argv: [COMMAND"),
    "no duration": ("a: {command: {argv: [x], timeout: 0s}}", "0s", "`timeout` must be longer than nothing", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_secret_is_told_at_its_place(name, one_problem):
    text, under, message, hint = WRONG[name]
    found = one_problem(f"{HEAD}secrets:\n  {text}\n")
    assert (found.line, found.under) == (5, under)
    assert found.message.startswith(message)
    assert hint in found.hint
    assert "hunter2" not in found.message + found.hint


def test_a_plugin_s_provider_is_there_once_it_is_installed(runbook, one_problem, monkeypatch):
    point = importlib.metadata.EntryPoint("corp-vault", "corp:provider", "durun.secrets")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == "durun.secrets" else [])
    text = "secrets: {a: {corp-vault: {path: [x, 1]}}}\n"
    assert runbook(STEPS + text).secrets["a"] == Secret("corp-vault", {"path": ("x", 1)}, 4)
    assert one_problem(HEAD + "secrets: {a: {corp-valt: 1}}\n").hint == "did you mean `corp-vault`?"


def test_what_is_wrong_with_a_secret_is_not_told_where_it_is_used_as_well(one_problem):
    found = one_problem(
        "durun: 1\nname: x\nsecrets: {a: {env: 1}}\nsteps: [{id: a, run: x, stdin: '${{ secrets.a }}'}]\n"
    )
    assert found.line == 3


@pytest.mark.parametrize("glob", ["*", "tok*", "./token", "**/token", "**"])
def test_a_secret_s_file_is_never_copied_into_the_run(glob, one_problem):
    found = one_problem(f"{HEAD}files: [b.sql, '{glob}']\nsecrets: {{a: {{file: ./token}}}}\n")
    assert (found.line, found.column) == (5, 21)
    assert found.message == f"`{glob}` in `files` would copy the file with the secret `a` into the run"


def test_a_step_s_files_count_too(one_problem):
    found = one_problem("durun: 1\nname: x\nsecrets: {a: {file: k/t}}\nsteps: [{id: a, run: x, files: ['k/*']}]\n")
    assert found.message == "`k/*` in `files` would copy the file with the secret `a` into the run"


def test_a_list_of_targets_with_secret_fields_is_not_copied_either(one_problem):
    fan = "targets: {file: inv/all.yaml}, target_key: a, secret_fields: [dsn]"
    found = one_problem(f"durun: 1\nname: x\nfiles: ['inv/*']\nsteps: [{{id: a, run: x, {fan}}}]\n")
    assert found.message == "`inv/*` in `files` would copy the file with the secret fields of `a` into the run"
    assert found.under == "inv/all.yaml"


@pytest.mark.parametrize(
    ("name", "glob", "chosen"),
    [
        ("a/b", "*", False), ("a/b", "a/*", True), ("a/b", "**/b", True), ("a/b", "**", True), ("b", "**/b", True),
        ("a/b/c", "a/**/c", True), ("a/c", "a/**/c", True), ("a/b", "b", False), ("/a/b", "a/b", False),
        ("a/B", "a/b", False), ("a/b1", "a/b[0-9]", True),
    ],
)  # fmt: skip
def test_a_glob_chooses_as_when_files_are_copied(name, glob, chosen):
    assert chosen_by(name, glob) is chosen
