"""Declared inputs and outputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from durun.model.runbook import Input

HEAD = "durun: 1\nname: x\nsteps: [{id: a, run: x}]\ninputs:\n"

WRONG = {
    "an unknown key": ("i: {tpye: string}", 7, "unknown key `tpye` in an input", "did you mean `type`?"),
    "another type": ("i: {type: text}", 13, "`type` must be string, integer", "write string"),
    "a bad name": ("My-In: {type: string}", 3, "`My-In` isn't a name of a-z, 0-9 and _", "write `my_in`"),
    "a text as input": ("i: string", 6, "`i` must be an input or empty", ""),
    "a bad pattern": ("i: {pattern: '['}", 16, "`pattern` isn't a regular expression", ""),
    "a pattern that is no text": ("i: {pattern: [x], default: x}", 7, "`pattern` isn't JSON Schema", ""),
    "a deep bad pattern": ("i: {type: array, items: {pattern: '('}}", 37, "`pattern` isn't a regular expression", ""),
    "a bad keyword": ("i: {minLength: -1}", 18, "`minLength` isn't JSON Schema", ""),
    "a deep bad keyword": ("i: {type: array, items: {type: strin}}", 34, "`type` isn't JSON Schema", ""),
    "a reference": ("i: {$ref: 'http://x/y'}", 7, "can't refer to another one", "write it out"),
    "a deep reference": ("i: {type: array, items: {$ref: 'http://x/y'}}", 28, "can't refer to another", "write it out"),
    "a default of another type": ("i: {type: integer, default: five}", 31, "the default isn't of type integer", ""),
    "a default of no type": ("i: {default: 5}", 16, "the default isn't of type string", "say `type:`"),
    "a default outside": ("i: {type: integer, minimum: 1, default: 0}", 43, "the default doesn't fit", ""),
    "a default against the pattern": ("i: {pattern: '^a$', default: b}", 32, "the default doesn't fit", ""),
    "a deep default": ("i: {type: array, items: {type: integer}, default: [1, x]}", 57, "the default doesn't fit", ""),
    "a default with a line break": ('i: {pattern: "^a$", default: "a\\n"}', 32, "the default doesn't fit", ""),
    "a format that nobody looks at": (
        "i: {format: hostname}",
        15,
        "the format hostname isn't checked by durun",
        "write `pattern:`, or one of date, date-time, email, ipv4, ipv6, uuid",
    ),
    "a default of another format": ("i: {format: date, default: '2026-02-30'}", 30, "the default doesn't fit", ""),
    "a default beside required": ("i: {required: true, default: x}", 23, "can't have a default", "remove one"),
    "an enum of another type": ("i: {enum: [a, 1]}", 17, "1 in `enum` isn't of type string", "say `type:`"),
    "a boolean as integer": ("i: {type: integer, default: true}", 31, "the default isn't of type integer", ""),
    "a secret with a default": (
        "i: {secret: true, default: x}",
        21,
        "a secret input can't have `default`",
        "remove it: the runbook is journalled, and everybody who has it would have the secret",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_told_at_its_place(name, one_problem):
    text, column, message, hint = WRONG[name]
    found = one_problem(f"{HEAD}  {text}\n")
    assert (found.line, found.column) == (5, column), found
    assert message in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("", Input({"type": "string"})),
        ("{type: integer, required: true}", Input({"type": "integer"}, required=True)),
        ("{default: x, description: Why}", Input({"type": "string"}, has_default=True, default="x", description="Why")),
        ("{type: [string, 'null'], default: null}", Input({"type": ["string", "null"]}, has_default=True)),
        ("{type: object, required: [a], properties: {a: {}}}",
         Input({"type": "object", "required": ["a"], "properties": {"a": {}}})),
        ("{type: number, default: 1}", Input({"type": "number"}, has_default=True, default=1)),
    ],
)  # fmt: skip
def test_inputs(text, declared, runbook):
    assert runbook(f"steps: [{{id: a, run: x}}]\ninputs: {{i: {text}}}\n").inputs == {"i": declared}


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("{o: {json: 'a['}}", 23, "`json` isn't a JMESPath"),
        ("{o: {type: str}}", 23, "`type` must be string"),
        ("{o: {from: stderr}}", 23, "`from` must be stdout, body, status or a mapping (header), not stderr"),
        ("{o: string}", 16, "`o` must be an output"),
        ("{'a b': {}}", 13, "`a b` isn't a name of letters"),
        ("[a]", 3, "`outputs` must be a mapping of outputs"),
    ],
)
def test_a_wrong_output_is_told_at_its_place(text, column, message, step_problem):
    found = step_problem(f"- id: a\n  run: x\n  outputs: {text}\n")
    assert (found.line, found.column) == (6, column), found
    assert message in found.message


def test_a_runbook_with_plain_inputs_loads_no_validator():
    code = (
        "import sys\nfrom durun.language.load import load\n"
        "load(b'durun: 1\\nname: x\\ninputs: {i: {default: a}, j: {type: integer, required: true}, k: {pattern: x}}"
        "\\nsteps: [{id: a, run: x, outputs: {o: }}]', 'f')\n"
        "print(sorted({'jsonschema', 'jmespath'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
