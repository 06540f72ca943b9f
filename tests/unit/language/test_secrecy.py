"""A secret goes to a process by `env`, `stdin` or a file, or to the keyring; anywhere else it is refused."""

from __future__ import annotations

import pytest

HEAD = """durun: 1
name: x
inputs: {pin: {secret: true}, role: {default: a}}
secrets: {db: {env: DB}, of: {keyring: {service: s, username: "${{ target.name }}"}}}
"""
STEPS = "steps:\n  - id: a\n    run: x\n    outputs: {o: {secret: true}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "    env: {A: '${{ secrets.db }}', B: 'x${{ inputs.pin }}', C: ['${{ secrets.db }}']}\n",
        "    stdin: \"\\\\set pw '${{ secrets.db }}'\"\n",
        "    stdin: {a: '${{ secrets.db }}'}\n",
        "    secret_files: {KEY: '${{ secrets.db }}'}\n",
        "    verify: {run: x, not_done_on: [1], env: {A: '${{ secrets.db }}'}, stdin: '${{ inputs.pin }}',"
        " secret_files: {K: '${{ secrets.db }}'}}\n",
        "    if: secrets.db != 'x' and inputs.pin | length > 3\n",
        "  - {id: b, assert: {that: steps.a.outputs.o == secrets.db}}\n",
        "  - {id: b, secret: {put: {service: s, username: u, value: 'a${{ steps.a.outputs.o }}'}}}\n",
        "  - id: g\n    steps: [{id: b, run: x}]\n    outputs: {x: '${{ secrets.db }}', y: ['${{ inputs.pin }}']}\n"
        "  - {id: c, run: x, env: {A: '${{ steps.g.outputs.x }}'}}\n",
        "  - {id: t, run: x, targets: {run: y}, env: {A: '${{ secrets.of }}'}}\n",
        "  - {id: t, run: x, targets: {run: y}, target_key: '${{ target.a }}', secret_fields: [b],"
        " stdin: '${{ target.b }}'}\n",
        "finally: [{id: z, run: x, env: {A: '${{ steps.a.outputs.o }}'}}]\n",
    ],
)
def test_here_a_secret_may_stand(runbook, text):
    assert runbook(HEAD.split("\n", 2)[2] + STEPS + text).steps


ARGUMENT = "an argument of a program can be read by everybody on the machine"
WRONG = {
    "argv": ("    run: [x, '${{ secrets.db }}']\n", "secrets.db", ARGUMENT, 'add to the step\n  env:\n    DB: "${{'),
    "a part of a word": ("    run: [x, '--pw=${{ inputs.pin }}']\n", "inputs.pin", ARGUMENT, "PIN:"),
    "an expression": (
        '    run: [x, "${{ secrets.db | lower }}"]\n',
        "secrets.db",
        ARGUMENT,
        'DB: "${{ secrets.db | lower }}"\nand let the program read that',
    ),
    "a program": ("    run: ['${{ secrets.db }}']\n", "secrets.db", ARGUMENT, "secret_files"),
    "working_directory": (
        "    working_directory: '/${{ secrets.db }}'\n",
        "secrets.db",
        "`working_directory` is shown",
        "plain",
    ),
    "timeout": ("    timeout: ${{ inputs.pin }}\n", "inputs.pin", "`timeout` is shown and journalled", "plain"),
    "retry": ("    retry: {delay: '${{ inputs.pin }}'}\n", "inputs.pin", "`retry` is shown and journalled", "plain"),
    "settle": (
        "    verify: {run: x, not_done_on: [1], settle: '${{ inputs.pin }}'}\n",
        "inputs.pin",
        "`settle` is",
        "",
    ),
    "verify": (
        "    verify: {run: [x, '${{ secrets.db }}'], not_done_on: [1]}\n",
        "secrets.db",
        ARGUMENT,
        "add to `verify`",
    ),
    "message": (
        "  - {id: b, assert: {that: true, message: 'no ${{ secrets.db }}'}}\n",
        "secrets.db",
        "a message is",
        "`that`",
    ),
    "generate": (
        "  - {id: b, generate: {choice: {from: ['${{ secrets.db }}']}}}\n",
        "secrets.db",
        "is made from",
        "plain",
    ),
    "service": (
        "  - {id: b, secret: {put: {service: '${{ inputs.pin }}', username: u, value: '${{ run.id }}'}}}\n",
        "inputs.pin",
        "a name in the keyring is shown",
        "only `value`",
    ),
    "delete": (
        "  - {id: b, secret: {delete: {service: s, username: '${{ inputs.pin }}'}}}\n",
        "inputs.pin",
        "a name in",
        "",
    ),
    "targets": (
        "    targets: ['${{ secrets.db }}']\n",
        "secrets.db",
        "targets are shown and journalled",
        "secret_fields",
    ),
    "a variable for targets": (
        "    targets: {run: x, env: {A: '${{ secrets.db }}'}}\n",
        "secrets.db",
        "a command that lists targets is given none",
        "let a step before it fetch the list",
    ),
    "an argument for targets": (
        "    targets: {run: [x, '${{ secrets.db }}']}\n",
        "secrets.db",
        "a command that lists targets is given none",
        "let a step before it fetch the list",
    ),
    "a field of a target": (
        "    targets: [{name: a, env: '${{ secrets.db }}'}]\n",
        "secrets.db",
        "targets are shown",
        "",
    ),
    "a command for targets": (
        "    targets: {run: x, env: {A: '${{ secrets.db }}'}}\n",
        "secrets.db",
        "lists targets",
        "",
    ),
    "target_key": (
        "    targets: {run: x}\n    secret_fields: [b]\n    target_key: ${{ target.b }}\n",
        "target.b",
        "a target's key is shown",
        "no secret",
    ),
    "max_failures": (
        "    targets: {run: x}\n    max_failures: ${{ inputs.pin }}\n",
        "inputs.pin",
        "`max_failures` is",
        "",
    ),
    "outputs": (
        "outputs: {x: '${{ steps.a.outputs.o }}'}\n",
        "steps.a.outputs.o",
        "a run's outputs are shown",
        "secret: {put",
    ),
    "env": ("env: {X: '${{ secrets.db }}'}\n", "secrets.db", "goes to every step", "of the steps that need it"),
    "until": (
        "  - {id: b, wait_for: {run: x, until: result.stdout == secrets.db, timeout: 1m}}\n",
        "secrets.db",
        "has been redacted: it would never be found in it",
        "let the script of the `wait_for` compare it",
    ),
    "fail_when": (
        "  - {id: b, wait_for: {run: x, fail_when: result.stdout == inputs.pin, timeout: 1m}}\n",
        "inputs.pin",
        "has been redacted",
        "`env` or `stdin`",
    ),
    "max_parallel": ("max_parallel: ${{ inputs.pin }}\n", "inputs.pin", "`max_parallel` is", ""),
}


@pytest.mark.fault(32)
@pytest.mark.parametrize("name", WRONG)
def test_elsewhere_it_is_refused_with_what_to_write_instead(name, one_problem):
    text, under, message, hint = WRONG[name]
    if text.startswith("    run"):
        found = one_problem(HEAD + STEPS.replace("    run: x\n", text))
    else:
        found = one_problem(HEAD + STEPS + text)
    assert found.under == under
    assert found.message.startswith(f"`{under}` is secret, and ")
    assert message in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("    env: {A: '${{ inputs }}'}\n", "inputs"),
        ("    if: inputs | length > 3\n", "inputs"),
        ("  - {id: b, run: x, env: {A: '${{ steps.a.outputs | tojson }}'}}\n", "steps.a.outputs"),
        ("  - {id: b, run: x, stdin: '${{ steps.a }}'}\n", "steps.a"),
        ("    targets: {run: x}\n    secret_fields: [b]\n    env: {A: '${{ target }}'}\n", "target"),
        ("    targets: {run: x}\n  - {id: b, run: x, stdin: '${{ steps.a.targets }}'}\n", "steps.a.targets"),
        (
            "    targets: {run: x}\n  - {id: b, run: x, stdin: '${{ steps.a.targets.x.outputs }}'}\n",
            "steps.a.targets.x.outputs",
        ),
    ],
)
def test_a_whole_with_a_secret_in_it_is_refused_everywhere(text, whole, one_problem):
    found = one_problem(HEAD + STEPS + text)
    assert found.message == f"`{whole}` holds a secret among other things"
    assert found.hint == "name the one thing that is wanted"
    assert found.under == whole


def test_a_script_can_t_hold_one_either(one_problem):
    found = one_problem(HEAD + "steps:\n  - id: a\n    run: login ${{ secrets.db }}\n")
    assert found.message.startswith("a script can't hold an expression")
    assert 'DB: "${{ secrets.db }}"' in found.hint


def test_a_secret_is_no_condition_and_has_no_keys(one_problem):
    assert "`secrets.db` is a string" in one_problem(HEAD + STEPS + "    if: secrets.db\n").message
    found = one_problem(HEAD + STEPS + "    stdin: ${{ secrets.db.password }}\n")
    assert found.message == "`secrets.db` is a string and has no `password`"


@pytest.mark.parametrize(
    ("written", "hint"),
    [("secrets.dbb", "did you mean `db`?"), ("db", "write `secrets.db`"), ("secret.db", "`secrets`")],
)
def test_a_name_that_is_nearly_right(written, hint, one_problem):
    assert hint in one_problem(HEAD + STEPS + f"    stdin: ${{{{ {written} }}}}\n").hint


def test_a_variable_that_is_a_secret_is_not_read_as_env(one_problem):
    found = one_problem(HEAD + STEPS + "    stdin: ${{ env.DB }}\n")
    assert found.message == "`env.DB` is the secret `db`, and what `env` gives is journalled"
    assert found.hint == "write `secrets.db`"


def test_a_place_that_depends_on_the_target_is_only_for_fan_outs(one_problem):
    found = one_problem(HEAD + STEPS + "    stdin: ${{ secrets.of }}\n")
    assert (found.line, found.under) == (4, "target.name")
    assert found.message == "`target` is known only if every step that names the secret stands in a fan-out"
    assert found.hint == "`a` names `secrets.of` where no target is known"


def test_a_place_is_not_found_by_a_secret_field(one_problem):
    fan = "    targets: {run: x}\n    target_key: a\n    secret_fields: [name]\n    stdin: ${{ secrets.of }}\n"
    found = one_problem(HEAD + STEPS + fan)
    assert found.message == "`target.name` is or holds a secret, and where a secret is found is shown and journalled"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("inputs.pin", "`inputs.pin` is secret, and where a secret is found is shown and journalled"),
        ("secrets.db", "`secrets.db` is secret, and where a secret is found is shown and journalled"),
        ("steps.a.outputs.o", "`steps.a.outputs.o` is not known when a secret is looked for"),
        ("run.started_at", "`run.started_at` is not known when a secret is looked for"),
        ("inputs.rol", "there is no input `rol`"),
    ],
)
def test_a_place_is_found_by_what_is_plain_and_known_at_the_start(source, message, problems):
    head = HEAD.replace("{env: DB}", "{env: DB}, new: {file: '/x/${{ " + source + " }}'}")
    assert [found.message for found in problems(head + STEPS) if message not in found.message] == []
