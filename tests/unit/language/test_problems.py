"""What is wrong with a file: all of it at once, each at its line and column."""

from __future__ import annotations

import pytest

from durun.errors import InvalidRunbook
from durun.language.load import load

EVERYTHING_WRONG = """\
durun: 1
name: wrong
inputs:
  role: {type: string}
steps:
  - id: a
    run: echo a
    needs: [c]
    depends_on: [b]
  - id: b
    run: echo b
    timeout: 30
    needs: [nobody]
  - id: c
    run: echo c
    needs: [b, a]
    outputs: {x: {}}
  - id: a
    run: echo again
    tmeout: 1s
  - id: e
    run: [echo, "${{ steps.c.outputs.y }}", "${{ inputs.rolle }}"]
    needs: [c]
    idempotent: sometimes
"""


@pytest.mark.fault(36)
def test_everything_that_is_wrong_is_told_at_once(problems):
    found = problems(EVERYTHING_WRONG)
    assert [(one.line, one.column, one.message.split(",")[0]) for one in found] == [
        (8, 5, "these steps wait for each other: a → c → a"),
        (9, 5, "unknown key `depends_on` in a step"),
        (12, 14, "`timeout` must be a duration such as 30s or 1h30m or an expression"),
        (13, 13, "there is no step `nobody`"),
        (18, 9, "the id `a` is already taken"),
        (20, 5, "unknown key `tmeout` in a step"),
        (22, 22, "step `c` declares no output `y`"),
        (22, 50, "there is no input `rolle`"),
        (24, 17, "`idempotent` must be true or false or a mapping (ttl)"),
    ]
    assert [one.hint for one in found if one.hint.startswith("did you mean")] == [
        "did you mean `timeout`?",
        "did you mean `role`?",
    ]


def test_a_step_without_an_id_of_its_own_is_not_offered(problems):
    steps = "- {id: a, run: x}\n- {id: a, run: x}\n- {run: x}\n- {id: b, run: [x, '${{ steps.zzz.status }}']}\n"
    hints = [one.hint for one in problems(f"durun: 1\nname: x\nsteps:\n{steps}") if "zzz" in one.message]
    assert hints == ["the steps are `a`, `b`"]


@pytest.mark.fault(36)
def test_the_report_is_exactly_this():
    with pytest.raises(InvalidRunbook) as caught:
        load(b"durun: 1\nname: x\nsteps:\n  - id: a\n    run: echo\n    tmeout: 5m\n    when: a\n", "dir/x.yaml")
    assert caught.value.message == "dir/x.yaml: 2 problems"
    assert caught.value.exit_code == 2
    assert caught.value.report == (
        "dir/x.yaml:6:5: unknown key `tmeout` in a step\n"
        "    6 |     tmeout: 5m\n"
        "      |     ^^^^^^\n"
        "  hint: did you mean `timeout`?\n"
        "\n"
        "dir/x.yaml:7:5: unknown key `when` in a step\n"
        "    7 |     when: a\n"
        "      |     ^^^^\n"
        "  hint: write `if: EXPRESSION`"
    )


STEP = "- id: a\n  run: x\n"
WRONG_STEPS = {
    "no id": ("- run: x\n", 4, 3, "a step needs `id:`", "write `id: run`"),
    "a bad id": ("- id: Stop-App\n  run: x\n", 4, 7, "`id` must be an id of a-z", ""),
    "an expression as id": ("- id: ${{ x }}\n  run: x\n", 4, 7, "`id` can't hold an expression", ""),
    "an expression as name": (STEP + "  name: a ${{ x }}\n", 6, 11, "`name` can't hold an expression", ""),
    "an expression in needs": (STEP + '  needs: ["${{ x }}"]\n', 6, 12, "each item of `needs` can't hold", ""),
    "an expression as shell": (STEP + "  shell: ${{ x }}\n", 6, 10, "`shell` can't hold an expression", ""),
    "an expression as a key": (STEP + '  env: {"${{ x }}": 1}\n', 6, 9, "`${{ x }}` isn't a variable name", ""),
    "no action": ("- id: a\n  name: x\n", 4, 3, "a step needs an action", "write `run:`"),
    "two actions": (STEP + "  steps: [{id: b, run: x}]\n", 6, 3, "a step has one action", "make it two steps"),
    "an empty script": ("- id: a\n  run: ''\n", 5, 8, "`run` must be a script", ""),
    "an empty command": ("- id: a\n  run: []\n", 5, 3, "must be a command with its arguments, not an empty one", ""),
    "a nameless command": ("- id: a\n  run: ['', x]\n", 5, 9, "a command needs a name", ""),
    "a float as argument": ("- id: a\n  run: [x, 1.10]\n", 5, 12, "each item of `run` must be a text", 'text: "1.1"'),
    "a step that is text": (STEP + "- hello\n", 6, 3, "each item of `steps` must be a step", ""),
    "a list as text": (STEP + "  name: [x]\n", 6, 3, "`name` must be a text, not a list", ""),
    "nothing as text": (STEP + "  name:\n", 6, 3, "`name` must be a text, not empty", ""),
    "a number as text": (STEP + "  description: 12\n", 6, 16, "`description` must be a text, not 12", '"12"'),
    "a text as list": (STEP + "  needs: b\n", 6, 10, "`needs` must be a list of ids, not b", "write [b]"),
    "a text as boolean": (STEP + "  continue_on_error: yes\n", 6, 22, "must be true or false, not yes", ""),
    "a quoted boolean": (STEP + '  redact: "true"\n', 6, 11, 'must be true or false, not the text "true"', ""),
    "a quoted number": (STEP + '  ok_exit_codes: ["0"]\n', 6, 19, 'from 0 to 255, not the text "0"', ""),
    "a number as duration": (STEP + "  timeout: 5\n", 6, 12, "`timeout` must be a duration", "write 5s for seconds"),
    "a bad duration": (STEP + "  timeout: 5 min\n", 6, 12, "`timeout` must be a duration", ""),
    "no duration at all": (STEP + "  timeout: 0s\n", 6, 12, "`timeout` must be longer than nothing", ""),
    "an endless duration": (STEP + "  timeout: 99999d\n", 6, 12, "`timeout`: a duration is at most 3650d", ""),
    "a static key": (STEP + "  idempotent: ${{ x }}\n", 6, 15, "`idempotent` can't hold an expression", ""),
    "an unknown choice": (STEP + "  on_in_doubt: aks\n", 6, 16, "must be verify, rerun", "did you mean `ask`?"),
    "rerun without idempotent": (STEP + "  on_in_doubt: rerun\n", 6, 16, "needs `idempotent`", "idempotent: true"),
    "verify without verify": (STEP + "  on_in_doubt: verify\n", 6, 16, "needs a `verify`", "verify: {run:"),
    "no exit code": (STEP + "  ok_exit_codes: []\n", 6, 3, "a list of exit codes, not an empty one", ""),
    "an exit code": (STEP + "  ok_exit_codes: [0, 256]\n", 6, 22, "an exit code from 0 to 255, not 256", ""),
    "ok and ambiguous": (STEP + "  ambiguous_exit_codes: [0]\n", 6, 3, "exit code 0 can't be both", ""),
    "done and not done": (STEP + "  verify: {run: x, not_done_on: [0]}\n", 6, 20, "exit code 0 can't mean both", ""),
    "never done": (STEP + "  verify: {run: x, done_on: [], not_done_on: [1]}\n", 6, 20, "never say done", ""),
    "a verify without run": (STEP + "  verify: {timeout: 1s}\n", 6, 3, "`verify` needs `run:`", ""),
    "a negated verify": (STEP + "  verify: {run: '! x', not_done_on: [1]}\n", 6, 18, "a leading ! turns", "done_on"),
    "a negated verify argv": (STEP + "  verify: {run: ['!', x], not_done_on: [1]}\n", 6, 19, "a leading !", "done_on"),
    "a shell without path": (STEP + "  shell: [perl, -w]\n", 6, 3, "must say with {0}", "write [perl, -w, '{0}']"),
    "an unknown shell": (STEP + "  shell: zsh\n", 6, 10, "`shell` must be bash, sh, python or a list, not zsh", ""),
    "an id with a line break": ('- {id: "a\\n", run: x}\n', 4, 8, "`id` must be an id of", ""),
    "a variable's name": (STEP + "  env: {A-B: 1}\n", 6, 9, "`A-B` isn't a variable name", "write `A_B`"),
    "durun's variable": (STEP + "  env: {DURUN_RUN_ID: 1}\n", 6, 9, "`DURUN_RUN_ID` is durun's to set", ""),
    "a loader's variable": (STEP + "  env: {LD_PRELOAD: x}\n", 6, 9, "`LD_PRELOAD` can't be set here", "in the script"),
    "a shell's variable": (STEP + "  env: {BASH_ENV: x}\n", 6, 9, "`BASH_ENV` can't be set here", ""),
    "the path": (STEP + "  env: {PATH: /opt/bin}\n", 6, 9, "`PATH` can't be set here", "set it in the script"),
    "a secret file's name": (STEP + "  secret_files: {GIT_SSH: x}\n", 6, 18, "`GIT_SSH` can't be set here", ""),
    "a secret file that is a value too": (STEP + "  env: {A: 1}\n  secret_files: {A: x}\n", 7, 18, "in `env` too", ""),
    "an inherited variable": (STEP + "  inherit_env: [A, LD_PRELOAD]\n", 6, 20, "`LD_PRELOAD` can't be", ""),
    "max_parallel alone": (STEP + "  max_parallel: 2\n", 6, 3, "`max_parallel` needs `targets` beside it", ""),
    "target_key alone": (STEP + "  target_key: x\n", 6, 3, "`target_key` needs `targets` beside it", ""),
    "secret_fields alone": (STEP + "  secret_fields: [a]\n", 6, 3, "`secret_fields` needs `targets` beside it", ""),
    "secret fields that are written out": (
        STEP + "  targets: [{a: 1}]\n  target_key: x\n  secret_fields: [a]\n",
        8,
        3,
        "what these `targets` are made of is journalled",
        "by a `run:`",
    ),
    "a secret key": (STEP + "  targets: {run: x}\n  secret_fields: [id]\n", 7, 3, "`id` can be a target's key", ""),
    "two sources of targets": (STEP + "  targets: {file: x, matrix: {a: [1]}}\n", 6, 3, "exactly one of", ""),
    "no source of targets": (STEP + "  targets: {}\n", 6, 3, "exactly one of `file`, `run` and `matrix`", ""),
    "surroundings of a file": (STEP + "  targets: {file: x, timeout: 1s}\n", 6, 22, "`timeout` goes with `run`", ""),
    "targets that are text": (STEP + "  targets: a\n", 6, 12, "must be a list, an expression or a mapping", ""),
    "a fan-out in a fan-out": (
        "- id: g\n  targets: [1]\n  steps:\n  - id: a\n    run: x\n    targets: [2]\n",
        9,
        5,
        "a fan-out inside a fan-out",
        "one level is possible",
    ),
    "a fan-out deep in a fan-out": (
        "- id: g\n  targets: [1]\n  steps:\n  - id: h\n    steps:\n    - {id: a, run: x, targets: [2]}\n",
        9,
        23,
        "a fan-out inside a fan-out",
        "",
    ),
    "a group with a command's key": (
        "- id: g\n  timeout: 5m\n  steps:\n  - {id: a, run: x}\n",
        5,
        3,
        "`timeout` has no meaning for a group",
        "put it on the steps inside",
    ),
    "an assert with a command's key": (
        "- id: a\n  assert: {that: 1 == 1}\n  stdin: x\n", 6, 3, "`stdin` has no meaning for `assert`", "remove it",
    ),
    "an empty group": ("- id: g\n  steps: []\n", 5, 3, "`steps` must be a list of steps", ""),
    "an assert without that": ("- id: a\n  assert: {message: x}\n", 5, 3, "`assert` needs `that:`", "write `that:`"),
    "a bad expression": ("- id: a\n  if: 1 +\n  run: x\n", 5, 7, "unexpected", ""),
    "an expression that isn't closed": (STEP + "  stdin: a ${{ b\n", 6, 12, "`${{` without `}}`", ""),
    "text around a condition": ("- id: a\n  if: x ${{ true }}\n  run: x\n", 5, 9, "unexpected char '$'", ""),
    "generate two": ("- id: a\n  generate: {uuid: {}, timestamp: {}}\n", 5, 3, "`generate` must be", ""),
    "a password too short": ("- id: a\n  generate: {password: {length: 7}}\n", 5, 33, "from 8 to 1024", ""),
    "a password without symbols": (
        "- id: a\n  generate: {password: {require: [digit, symbol]}}\n",
        5,
        25,
        "the alphabet `alphanumeric` has no symbol",
        "write `alphabet: ascii`",
    ),
    "put and delete": (
        "- id: a\n  secret: {put: {service: a, username: b, value: c}, delete: {service: a, username: b}}\n",
        5,
        3,
        "`secret` must be a mapping with exactly one of put, delete",
        "",
    ),
    "put without a value": ("- id: a\n  secret: {put: {service: a, username: b}}\n", 5, 12, "needs `value:`", "write"),
    "a verify of a keyring": (
        "- id: a\n  secret: {delete: {service: a, username: b}}\n  verify: {run: x, not_done_on: [1]}\n",
        6,
        3,
        "`verify` has no meaning for `secret`",
        "remove it",
    ),
    "generate what isn't there": ("- id: a\n  generate: {pasword: {}}\n", 5, 14, "unknown key `pasword`", "`password`"),
    "an undeclared output": (STEP + "- id: b\n  run: [x, '${{ steps.a.outputs.o }}']\n", 7, 17, "no output `o`", ""),
    "a step that comes later": ("- id: b\n  run: [x, '${{ steps.a.status }}']\n" + STEP, 5, 17, "not come before", ""),
    "a wave of nothing": (STEP + "  targets: [1]\n  serial: [0%]\n", 7, 12, "a percentage such as 10%", ""),
    "too many attempts": (STEP + "  retry: {max_attempts: 2000}\n", 6, 25, "a whole number from 1 to 1000", ""),
}  # fmt: skip


@pytest.mark.fault(36)
@pytest.mark.parametrize("name", WRONG_STEPS)
def test_what_is_wrong_with_a_step_is_told_at_its_place(name, step_problem):
    steps, line, column, message, hint = WRONG_STEPS[name]
    found = step_problem(steps)
    assert (found.line, found.column) == (line, column), found
    assert message in found.message
    assert hint in found.hint


WRONG_FILES = {
    "a name with a line break": ('durun: 1\nname: "x\\n"\nsteps: [{id: a, run: x}]\n', 2, 7, "must be a name of"),
    "files from the root": ("durun: 1\nname: x\nfiles: [/etc/x]\nsteps: [{id: a, run: x}]\n", 3, 9, "a path below"),
    "files of no name": ("durun: 1\nname: x\nfiles: [./]\nsteps: [{id: a, run: x}]\n", 3, 9, "a path below"),
    "files of half a folder": ("durun: 1\nname: x\nfiles: [a**]\nsteps: [{id: a, run: x}]\n", 3, 9, "** stands for"),
    "files from above": ("durun: 1\nname: x\nfiles: [a, ../x]\nsteps: [{id: a, run: x}]\n", 3, 12, "a path below"),
    "a list": ("- a\n", 1, 1, "a runbook must be a mapping (durun, name, description, "),
    "a text": ("hello\n", 1, 1, "a runbook must be"),
    "no version": ("name: x\nsteps: [{id: a, run: x}]\n", 1, 1, "a runbook needs `durun:`"),
    "another version": ("durun: 2\nname: x\nsteps: [{id: a, run: x}]\n", 1, 8, "`durun` must be 1, not 2"),
    "a bad name": ("durun: 1\nname: My Runbook\nsteps: [{id: a, run: x}]\n", 2, 7, "`name` must be a name of a-z"),
    "no steps": ("durun: 1\nname: x\n", 1, 1, "a runbook needs `steps:`"),
    "empty steps": ("durun: 1\nname: x\nsteps:\n", 3, 1, "`steps` must be a list of steps, not empty"),
    "an unknown key": ("durun: 1\nname: x\nsteps: [{id: a, run: x}]\ninput: {}\n", 4, 1, "unknown key `input`"),
    "rollback": ("durun: 1\nname: x\nsteps: [{id: a, run: x}]\non_failure: undo\n", 4, 13, "must be stop or rollback"),
    "a rollback in finally": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\nfinally:\n- {id: b, run: x, rollback: {run: y}}\n",
        5, 19, "`finally` steps are not rolled back",
    ),
    "a rollback without an action": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  rollback:\n    timeout: 1s\n", 6, 3, "`rollback` needs `run:`",
    ),
    "a rollback that does two things": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  rollback:\n    run: x\n    http: {url: 'https://x'}\n",
        8, 5, "a rollback does one thing",
    ),
    "needs in finally": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\nfinally:\n- {id: b, run: x, needs: []}\n", 5, 19, "run in order",
    ),
    "one id twice": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\nfinally:\n- {id: a, run: x}\n", 5, 8, "already taken, in line 3",
    ),
    "a default that nobody can have": (
        "durun: 1\nname: x\ndefaults: {timeout: 0s}\nsteps: [{id: a, run: x}]\n", 3, 21, "longer than nothing",
    ),
    "a default's reference": (
        "durun: 1\nname: x\ndefaults:\n  timeout: ${{ inputs.t }}\nsteps: [{id: a, run: x}, {id: b, run: x}]\n",
        4, 16, "there is no input `t`",
    ),
    "a step's env in its verify": (
        "durun: 1\nname: x\nsteps:\n- id: a\n  run: x\n  env: {A: '${{ inputs.t }}'}\n"
        "  verify: {run: x, not_done_on: [1]}\n",
        6, 17, "there is no input `t`",
    ),
    "an output of the run": (
        "durun: 1\nname: x\nsteps: [{id: a, run: x}]\noutputs:\n  o: ${{ steps.b.status }}\n", 5, 10, "no step `b`",
    ),
}  # fmt: skip


@pytest.mark.fault(36)
@pytest.mark.parametrize("name", WRONG_FILES)
def test_what_is_wrong_with_a_file_is_told_at_its_place(name, one_problem):
    text, line, column, message = WRONG_FILES[name]
    found = one_problem(text)
    assert (found.line, found.column) == (line, column), found
    assert message in found.message


def test_places_in_block_scalars_and_escapes(step_problem):
    found = step_problem("- id: a\n  run: [x]\n  stdin: |\n    one\n      two ${{ inputs.x }}\n")
    assert (found.line, found.column, found.under) == (8, 15, "inputs.x")
    found = step_problem('- id: a\n  run: [x]\n  stdin: "\\u00e9\\n \\" ${{ inputs.x }}"\n')
    assert (found.line, found.column, found.under) == (6, 27, "inputs.x")
    found = step_problem("- id: a\n  run: [x]\n  stdin: 'it''s ''a'' ${{ inputs.x }}'\n")
    assert (found.line, found.column, found.under) == (6, 27, "inputs.x")
    found = step_problem("- id: a\n  run: [x]\n  stdin: >\n    folded\n    text ${{ inputs.x }}\n")
    assert (found.line, found.column, found.under) == (8, 14, "inputs.x")


def test_a_problem_in_an_alias_points_at_the_alias(problems):
    text = "durun: 1\nname: x\nenv: {A: &t '${{ inputs.x }}', B: *t}\nsteps: [{id: a, run: x}]\n"
    assert [(one.line, one.column) for one in problems(text)] == [(3, 18), (3, 35)]


def test_only_so_many_problems_are_shown():
    steps = "".join("- {id: a, run: x, rnu: x}\n" for _ in range(500))
    with pytest.raises(InvalidRunbook) as caught:
        load(f"durun: 1\nname: x\nsteps:\n{steps}".encode(), "book.yaml")
    assert caught.value.message == "book.yaml: 999 problems"
    assert caught.value.report.endswith("… and 899 more")


def test_too_many_expressions_are_refused(one_problem):
    found = one_problem("durun: 1\nname: x\nsteps: [{id: a, run: x, stdin: '" + "${{ 1 }}" * 6000 + "'}]\n")
    assert found.message == "the file holds more than 5000 expressions"
