"""`concurrency`: what may stand there, and the name that a run's group gets."""

from __future__ import annotations

import pytest

from durun.errors import InvalidInput
from durun.language.concurrency import group_name
from durun.language.load import load
from durun.model.runbook import Concurrency

HEAD = """\
durun: 1
name: test
inputs:
  role: {type: string, default: app}
  count: {type: integer}
  names: {type: array}
  pin: {type: string, secret: true}
secrets: {key: {env: KEY}}
steps: [{id: a, run: x}]
"""


def book(text: str):
    return load(f"{HEAD}concurrency: {text}\n".encode(), "book.yaml").runbook


def test_what_is_not_said_has_its_default():
    assert book("{group: db}").concurrency == Concurrency("db", "fail", ())
    said = book("{group: db, on_conflict: skip, release_on: [waiting, failed]}").concurrency
    assert said == Concurrency("db", "skip", ("waiting", "failed"))
    assert load(HEAD.encode(), "book.yaml").runbook.concurrency is None


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("db", "db"),
        ("rotate-${{ inputs.role }}", "rotate-app"),
        ("'${{ inputs.count }}'", "7"),
        ("${{ env.SITE }}/${{ inputs.role | upper }}", "north/APP"),
        ("'u\u0308'", "\u00fc"),
    ],
)
def test_a_name_is_made_of_inputs_and_env(group, name):
    runbook = book(f"{{group: {group}}}" if "${{" not in group else f'{{group: "{group.strip(chr(39))}"}}')
    assert group_name(runbook, {"role": "app", "count": 7}, {"SITE": "north"}) == name


def test_the_variables_that_a_name_reads_are_fixed_for_the_run():
    assert book('{group: "${{ env.SITE }}"}').env_names == ("SITE",)


@pytest.mark.parametrize(
    ("group", "inputs", "said"),
    [
        ("${{ inputs.role }}", {"role": ""}, "is empty"),
        ("${{ inputs.role }}", {"role": "x" * 257}, "is 257 characters long"),
        ("${{ inputs.role }}", {"role": "a\nb"}, "holds a character that can't be printed"),
        ("${{ inputs.names }}", {"names": ["a"]}, "is of type array"),
        ("${{ inputs.count }}", {"count": True}, "is of type boolean"),
        ("${{ env.SITE }}", {}, "the concurrency group: "),
    ],
)
def test_a_name_that_can_not_be_used_stops_the_start(group, inputs, said):
    with pytest.raises(InvalidInput) as refused:
        group_name(book(f'{{group: "{group}"}}'), inputs, {})
    assert said in refused.value.message


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("text", "under", "message", "hint"),
    [
        (
            "rotate",
            "rotate",
            "must be a mapping (group, on_conflict, release_on)",
            "write `concurrency: {group: NAME}`",
        ),
        ("${{ inputs.role }}", "${{ inputs.role }}", "must be a mapping", "write `concurrency: {group: NAME}`"),
        ("4", "4", "must be a mapping", "tasks at once are `max_parallel:`"),
        ("{on_conflict: wait}", "concurrency", "`concurrency` needs `group:`", "a name such as"),
        ("{group: ''}", "''", "`group` must be a text", ""),
        ("{group: x, on_conflict: queue}", "queue", "must be fail, wait or skip, not queue", "write wait"),
        ("{group: x, release_on: [in_doubt]}", "in_doubt", "must be waiting or failed, not in_doubt", ""),
        ("{group: x, release_on: failed}", "failed", "`release_on` must be a list", "write [failed]"),
        ('{group: "a\\tb"}', '"a\\tb"', "can't be printed", "choose another name"),
        ('{group: "${{ inputs.rol }}"}', "inputs.rol", "there is no input `rol`", "did you mean `role`?"),
        ('{group: "${{ run.id }}"}', "run.id", "`run.id` can't be read in the name of a concurrency group", ""),
        ('{group: "${{ steps.a.status }}"}', "steps.a.status", "can't be read in the name of a concurrency group", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(one_problem, text, under, message, hint):
    found = one_problem(f"{HEAD}concurrency: {text}\n")
    assert found.line == HEAD.count("\n") + 1
    assert found.under == under
    assert message in found.message
    assert hint in found.hint


@pytest.mark.fault(32)
@pytest.mark.parametrize("secret", ["secrets.key", "inputs.pin"])
def test_a_secret_is_never_part_of_a_name(one_problem, secret):
    found = one_problem(f'{HEAD}concurrency: {{group: "db-${{{{ {secret} }}}}"}}\n')
    assert f"`{secret}` is secret, and the name of a concurrency group is shown and journalled" in found.message
