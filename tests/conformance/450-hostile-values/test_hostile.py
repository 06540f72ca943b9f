import json

import pytest

HOSTILE = [
    "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '" && touch pwned "', "a\nb\n", "\n", "-rf",
    "--help", "🙂 ä \u202e x",
    "\\n \\0 %s %n", "${HOME} $HOME", "a\tb\r\nc", "* ? [a]", "!x",
    "~", " lead and trail ", "$${{ x }}", "{{ x }} {% y %}", "\x1b[31mred",
]  # fmt: skip


@pytest.mark.fault(38)
@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_value_reaches_the_step_literally(operator, value):
    said = operator("run", "runbook.yaml", "-i", f"value={value}", "--json")
    for way in ("stdin", "input", "env", "target", "argv"):
        assert (operator.place / f"by-{way}").read_bytes() == value.encode(), way
    assert said.lines[-1]["outputs"] == {"got": value}
    assert not (operator.place / "pwned").exists()
    assert "\x1b" not in operator("show", "@last").out


@pytest.mark.fault(38)
def test_nothing_of_an_expression_in_a_value_is_looked_at(operator):
    operator("run", "runbook.yaml", "--inputs", "-", stdin=json.dumps({"value": "${{ inputs.value }} ${{ 1 + 1 }}"}))
    assert operator.read("by-argv") == "${{ inputs.value }} ${{ 1 + 1 }}"


@pytest.mark.fault(38)
def test_a_nul_is_refused(operator):
    said = operator("run", "runbook.yaml", "--inputs", "-", stdin=json.dumps({"value": "a\0b"}), code=2)
    assert "value" in said.err
    assert "NUL" in said.err
    assert operator("history", "--json").json == []


@pytest.mark.fault(38)
def test_what_no_variable_can_hold_is_refused_with_the_way_out(operator):
    said = operator("run", "runbook.yaml", "--inputs", "-", stdin=json.dumps({"value": "x" * 200_000}), code=2)
    assert "value" in said.err
    assert "file" in said.err
    assert operator("history", "--json").json == []
