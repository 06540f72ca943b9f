"""No value becomes code: an expression in a script is an error that shows what to write."""

from __future__ import annotations

import pytest


@pytest.mark.fault(37)
def test_the_hint_shows_the_env_lines_and_the_variable(step_problem):
    found = step_problem('- id: a\n  run: psql -c "alter role ${{ inputs.role }}"\n')
    assert (found.line, found.column, found.under) == (5, 28, "${{ inputs.role }}")
    assert found.message == "a script can't hold an expression: a value would become code"
    assert found.hint == (
        "add to the step\n"
        "  env:\n"
        '    ROLE: "${{ inputs.role }}"\n'
        'and write "$ROLE" in the script'
    )  # fmt: skip


@pytest.mark.fault(37)
def test_every_expression_gets_a_variable_of_its_own(step_problem):
    found = step_problem(
        "- id: a\n  run: |\n    one ${{ steps.x.outputs.url }}\n"
        "    two ${{ target.url }} ${{ env.HOME }} ${{ target.url }}\n"
    )
    assert (found.line, found.column) == (6, 9)
    assert found.hint.split("\n") == [
        "add to the step",
        "  env:",
        '    URL: "${{ steps.x.outputs.url }}"',
        '    URL_2: "${{ target.url }}"',
        '    THE_HOME: "${{ env.HOME }}"',
        'and write "$URL", "$URL_2", "$THE_HOME" in the script',
    ]


@pytest.mark.fault(37)
def test_the_line_that_is_shown_can_be_pasted(step_problem, runbook):
    found = step_problem('- id: a\n  run: echo ${{ env.X | default("a\\\\b") }}\n')
    env = found.hint.split("\n")[2].strip()
    assert runbook(f"steps:\n- id: a\n  run: echo\n  env:\n    {env}\n").steps[0].call.env.keys() == {"X"}


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("script", "column"),
    [("echo ${{ x", 13), ("${{ }}", 8), ("echo ${{", 13), ("a ${{ 'x }}", 10), ("$ ${{ a\n    }}", 0)],
)
def test_a_broken_expression_in_a_script_is_the_same_error(script, column, step_problem):
    found = step_problem(f"- id: a\n  run: {script}\n")
    assert found.message == "a script can't hold an expression: a value would become code"
    assert found.column == column or not column


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("step", "line", "column"),
    [
        ("- id: a\n  run: x\n  verify:\n    run: test ${{ inputs.x }}\n    not_done_on: [1]\n", 7, 15),
        ("- id: a\n  run: x\n  targets:\n    run: list ${{ inputs.x }}\n", 7, 15),
        ("- id: g\n  steps:\n  - id: a\n    run: x ${{ inputs.x }}\n", 7, 12),
    ],
)
def test_scripts_everywhere(step, line, column, step_problem):
    found = step_problem(step)
    assert (found.line, found.column) == (line, column)
    assert "env:" in found.hint


def test_a_python_script_is_told_python(step_problem):
    found = step_problem("- id: a\n  shell: python\n  run: print('${{ inputs.role }}')\n")
    assert found.hint.endswith('and write os.environ["ROLE"] in the script')


def test_a_literal_is_unescaped(runbook):
    assert runbook("steps:\n- id: a\n  run: echo '$${{ x }}'\n").steps[0].call.action.spec == "echo '${{ x }}'"


def test_an_argv_may_hold_expressions(runbook):
    spec = runbook("steps:\n- id: a\n  run: [echo, '${{ run.id }}']\n").steps[0].call.action.spec
    assert spec[0] == "echo"
    assert spec[1].whole.source == "run.id"
