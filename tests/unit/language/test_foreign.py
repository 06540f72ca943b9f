"""Other tools' words: each is an error that names durun's key, at the place of the word."""

from __future__ import annotations

import json
import re

import pytest

from durun.language.foreign import FOREIGN, NOT_YET
from durun.language.schema import document_schema

HEADS = {
    "the runbook": ("durun: 1\nname: x\nsteps: [{id: a, run: x}]\n", "%s: x\n", 4, 1),
    "concurrency": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\nconcurrency:\n  group: x\n",
        "  %s: x\n",
        6,
        3,
    ),
    "a step": ("durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n", "  %s: x\n", 6, 3),
    "retry": ("durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  retry:\n    delay: 1s\n", "    %s: x\n", 8, 5),
    "verify": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  verify:\n    run: x\n    not_done_on: [1]\n",
        "    %s: x\n",
        9,
        5,
    ),
    "privileged": (
        "durun: 1\nname: x\nsteps:\n- {id: b, needs: [a], run: x}\n- id: a\n  needs: []\n  run: x\n"
        "  rollback: {run: x}\n  privileged:\n    until: b\n    max: 1h\n",
        "    %s: x\n",
        12,
        5,
    ),
    "rollback": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  rollback:\n    run: x\n    idempotent: true\n",
        "    %s: x\n",
        9,
        5,
    ),
    "targets": ("durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  targets:\n    file: x\n", "    %s: x\n", 8, 5),
    "an input": ("durun: 1\nname: x\nsteps: [{id: a, run: x}]\ninputs:\n  i:\n    type: string\n", "    %s: x\n", 7, 5),
    "an output": ("durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  outputs:\n    o:\n", "      %s: x\n", 8, 7),
    "http": ("durun: 1\nname: x\nsteps:\n- id: a\n  http:\n    url: https://x\n", "    %s: x\n", 7, 5),
    "auth": ("durun: 1\nname: x\nsteps:\n- id: a\n  http:\n    url: https://x\n    auth:\n", "      %s: x\n", 8, 7),
    "basic": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  http:\n    url: https://x\n    auth:\n      basic:\n"
        "        username: x\n        password: x\n",
        "        %s: x\n",
        11,
        9,
    ),
    "tls": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  http:\n    url: https://x\n    tls:\n      ca: x\n",
        "      %s: x\n",
        9,
        7,
    ),
    "assert": ("durun: 1\nname: x\nsteps:\n- id: a\n  assert:\n    that: 1 == 1\n", "    %s: x\n", 7, 5),
    "idempotent": ("durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  idempotent:\n    ttl: 1h\n", "    %s: x\n", 8, 5),
    "keyring": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\nsecrets:\n  a:\n    keyring:\n      service: x\n"
        "      username: x\n",
        "      %s: x\n",
        9,
        7,
    ),
    "wait_for": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  wait_for:\n    run: x\n    timeout: 1h\n",
        "    %s: x\n",
        8,
        5,
    ),
    "a notice": (
        "durun: 1\nname: x\nsteps:\n- {id: a, run: x}\nnotify:\n- events: [failed]\n  run: x\n",
        "  %s: x\n",
        8,
        3,
    ),
    "secret": ("durun: 1\nname: x\nsteps:\n- id: a\n  secret:\n", "    %s: x\n", 6, 5),
    "put": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  secret:\n    put:\n      service: x\n      username: x\n"
        "      value: x\n",
        "      %s: x\n",
        10,
        7,
    ),
    "delete": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  secret:\n    delete:\n      service: x\n      username: x\n",
        "      %s: x\n",
        9,
        7,
    ),
}
WORDS = [(place, word) for place, words in FOREIGN.items() for word in words]
LATER = [(place, word) for place, words in NOT_YET.items() for word in sorted(words)]


@pytest.mark.fault(36)
@pytest.mark.parametrize(("place", "word"), WORDS)
def test_a_foreign_word_names_the_key_to_write(place, word, one_problem):
    head, line, number, column = HEADS[place]
    found = one_problem(head + line % word)
    assert (found.line, found.column, found.under) == (number, column, word)
    assert re.fullmatch(rf"unknown key `{re.escape(word)}` in .*", found.message)
    assert found.hint == FOREIGN[place][word]


@pytest.mark.parametrize(("place", "word"), LATER)
def test_a_word_of_a_later_version_says_so(place, word, one_problem):
    head, line, number, column = HEADS[place]
    found = one_problem(head + line % word)
    assert (found.line, found.column, found.under) == (number, column, word)
    assert found.message.startswith(f"this version of durun doesn't have `{word}`")


def permitted(place: str) -> set[str]:
    schema = document_schema()
    found = [schema] if schema["title"] == place else []
    rest = [schema]
    while rest:
        node = rest.pop()
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if isinstance(node, dict) and node.get("title") == place and "properties" in node:
            found.append(node)
        rest.extend(children)
    return set().union(*(node["properties"] for node in found))


@pytest.mark.parametrize("place", [*FOREIGN, *NOT_YET])
def test_no_word_of_durun_is_foreign(place):
    words = set(FOREIGN.get(place, ())) | set(NOT_YET.get(place, ()))
    assert permitted(place), "the title names a mapping of the schema"
    assert not words & permitted(place)


@pytest.mark.parametrize("place", FOREIGN)
def test_hints_name_only_words_that_there_are(place):
    text = json.dumps(document_schema())
    for word in re.findall(r"`([a-z_]+):", " ".join(FOREIGN[place].values())):
        assert f'"{word}"' in text or word in ("minimum", "maximum", "pattern", "minLength", "maxLength", "default"), (
            word
        )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("workingDirectory", "working_directory"), ("working-directory", "working_directory"),
        ("continueOnError", "continue_on_error"), ("onInDoubt", "on_in_doubt"), ("max-parallel", "max_parallel"),
        ("maxParallel", "max_parallel"), ("okExitCodes", "ok_exit_codes"), ("target-key", "target_key"),
        ("inheritEnv", "inherit_env"), ("Timeout", "timeout"),
    ],
)  # fmt: skip
def test_camel_case_and_kebab_case_name_the_key(written, meant, step_problem):
    found = step_problem(f"- id: a\n  run: x\n  {written}: x\n")
    assert (found.line, found.column) == (6, 3)
    assert f"`{meant}:" in found.hint


@pytest.mark.parametrize(("written", "meant"), [("tmeout", "timeout"), ("stdn", "stdin"), ("idempotnt", "idempotent")])
def test_a_typo_gets_a_guess(written, meant, step_problem):
    assert step_problem(f"- id: a\n  run: x\n  {written}: x\n").hint == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("str", "string"), ("int", "integer"), ("bool", "boolean"), ("list", "array"), ("dict", "object")],
)
def test_other_names_of_types(written, meant, one_problem):
    found = one_problem(f"durun: 1\nname: x\nsteps: [{{id: a, run: x}}]\ninputs: {{i: {{type: {written}}}}}\n")
    assert (found.line, found.column, found.under, found.hint) == (4, 20, written, f"write {meant}")


def test_a_command_under_shell_as_in_ansible(step_problem):
    found = step_problem("- id: a\n  shell: systemctl restart x\n  run: x\n")
    assert (found.line, found.column) == (5, 10)
    assert found.hint == "a command is written under `run:`; `shell:` says what reads it"
