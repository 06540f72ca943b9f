"""What stands under `with` is held against the plugin's schema, as far as that can be told before a run."""

from __future__ import annotations

from typing import Any

import pytest

from durun.errors import CannotStart, InvalidRunbook
from durun.language.load import load
from durun.model.plugin import Plugin
from durun.model.runbook import Output, Runbook

from .conftest import parse_report

HEAD = """durun: 1
name: x
inputs: {n: {type: integer, default: 1}, text: {default: a}}
secrets: {key: {env: KEY}}
steps:
- id: a
  uses: a.b
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "description": "what it is called"},
        "kind": {"enum": ["big", "small"]},
        "sizes": {"type": "array", "maxItems": 2, "items": {"type": "integer", "minimum": 1}},
        "pair": {"prefixItems": [{"type": "string"}, {"type": "string", "writeOnly": True}]},
        "who": {"$ref": "#/$defs/who"},
        "either": {"anyOf": [{"type": "string", "writeOnly": True}, {"type": "integer"}]},
        "all": {"type": "object", "writeOnly": True},
    },
    "patternProperties": {"^x_": {"type": "string", "writeOnly": True}},
    "additionalProperties": False,
    "$defs": {
        "who": {
            "type": "object",
            "required": ["user"],
            "additionalProperties": False,
            "properties": {
                "user": {"type": "string"},
                "token": {"type": "string", "writeOnly": True},
                "of": {"$ref": "#/$defs/who"},
            },
        }
    },
    "if": {"properties": {"kind": {"const": "big"}}, "required": ["kind"]},
    "then": {"required": ["sizes"]},
}  # fmt: skip


def described(schema: Any = SCHEMA, **more: Any) -> Any:
    def describe(name: str) -> Plugin:
        if name != "a.b":
            raise CannotStart(f"there is no {name}", "install it")
        return Plugin(name, "durun-a", "1", schema, {"out": Output("integer"), "key": Output(secret=True)}, **more)

    return describe


def read(text: str, **more: Any) -> Runbook:
    return load((HEAD + text).encode(), "book.yaml", plugin=described(**more)).runbook


def problems(text: str, **more: Any) -> list[tuple[str, str, str]]:
    """The message, what is underlined, and the hint."""
    with pytest.raises(InvalidRunbook) as caught:
        read(text, **more)
    return [(found.message, found.under, found.hint) for found in parse_report(caught.value.report)]


@pytest.mark.parametrize(
    "given",
    [
        "{}",
        "{name: a, kind: small, sizes: [1, 2], who: {user: x, of: {user: y}}}",
        "{kind: big, sizes: []}",
        # What expressions give is not known yet.
        '{name: "${{ inputs.text }}", kind: "${{ inputs.text }}", sizes: "${{ inputs.n }}"}',
        '{name: "A ${{ inputs.text }}", sizes: ["${{ inputs.n }}", 3]}',
        '{kind: "${{ inputs.text }}"}',
        '{who: "${{ inputs.text }}"}',
    ],
)
def test_what_may_fit_is_taken(given: str) -> None:
    step = read(f"  with: {given}\n").steps[0]
    assert step.call is not None and step.call.action.spec["uses"] == "a.b"


@pytest.mark.parametrize(
    ("given", "message", "under", "hint"),
    [
        ("{nam: a}", "a.b knows no `nam` in `with`", "nam", "did you mean `name`?"),
        ("{zz: a}", "a.b knows no `zz` in `with`", "zz", "known here: name, kind, sizes, pair, who, either, all"),
        ("{name: A}", "`name` must match the pattern ^[a-z]+$", "A", "what it is called"),
        ("{name: 5}", "`name` must be of type string, and is of type number", "5", "what it is called"),
        ("{kind: huge}", '`kind` must be one of "big", "small"', "huge", ""),
        ("{sizes: [1, 0]}", "an entry of `sizes` must be at least 1", "0", ""),
        ("{sizes: [1, 2, 3]}", "`sizes` must have at most 2 entries", "sizes", ""),
        ('{sizes: [1, "${{ inputs.n }}", 3]}', "`sizes` must have at most 2 entries", "sizes", ""),
        ("{who: {}}", "a.b needs `user` in `who`", "who", "write `user: …`"),
        ('{who: {token: "${{ inputs.text }}"}}', "a.b needs `user` in `who`", "who", "write `user: …`"),
        ("{who: {user: a, of: {user: 1}}}", "`user` must be of type string, and is of type number", "1", ""),
        ("{kind: big}", "a.b needs `sizes` in `with`", "with", "write `sizes: …`"),
        ("{either: true}", "`either` does not fit `anyOf` of its schema", "true", ""),
    ],
)
def test_what_can_t_fit_is_told_with_its_place(given: str, message: str, under: str, hint: str) -> None:
    assert problems(f"  with: {given}\n") == [(message, under, hint)]


def test_what_is_missing_where_nothing_is_given() -> None:
    ((message, under, _),) = problems("", schema={**SCHEMA, "required": ["name"]})
    assert (message, under) == ("a.b needs `name` in `with`", "id")


@pytest.mark.parametrize(
    "given",
    [
        '{who: {user: x, token: "Bearer ${{ secrets.key }}"}}',
        '{who: {user: x, of: {user: y, token: "${{ secrets.key }}"}}}',
        '{pair: [a, "${{ secrets.key }}"]}',
        '{either: "${{ secrets.key }}"}',
        '{all: {deep: [{x: "${{ secrets.key }}"}]}}',
        '{x_any: "${{ secrets.key }}"}',
    ],
)
def test_a_secret_may_stand_where_the_schema_says_so(given: str) -> None:
    assert read(f"  with: {given}\n").secrets


@pytest.mark.parametrize(
    "given",
    [
        '{name: "${{ secrets.key }}"}',
        '{who: {user: "${{ secrets.key }}"}}',
        '{who: "${{ secrets.key }}"}',
        '{pair: ["${{ secrets.key }}"]}',
        '{sizes: ["${{ secrets.key }}"]}',
    ],
)
def test_a_secret_may_stand_nowhere_else(given: str) -> None:
    ((message, under, hint),) = problems(f"  with: {given}\n")
    assert message.startswith("`secrets.key` is secret, and the plugin takes no secret there")
    assert (under, hint) == ("secrets.key", "give it where the plugin takes one")


def test_its_outputs_are_read_by_later_steps() -> None:
    read("- {id: b, run: 'true', if: steps.a.outputs.out > 1, env: {K: '${{ steps.a.outputs.key }}'}}\n")
    ((message, _, hint),) = problems("- {id: b, run: 'true', if: steps.a.outputs.outt > 1}\n")
    assert (message, hint) == ("step `a` declares no output `outt`", "did you mean `out`?")
    ((message, *_),) = problems("- {id: b, assert: {that: 'true', message: '${{ steps.a.outputs.key }}'}}\n")
    assert message == "`steps.a.outputs.key` is secret, and a message is shown and journalled"


def test_what_it_says_of_itself_is_what_the_step_is() -> None:
    step = read("").steps[0]
    assert (step.idempotent, step.on_in_doubt, step.verify) == (False, "ask", None)
    assert step.secret_outputs == {"key"} and read("").has_secrets
    step = read("", idempotent=True).steps[0]
    assert (step.idempotent, step.on_in_doubt) == (True, "rerun")
    step = read("", verifies=True, idempotent=True).steps[0]
    assert step.verify is not None and (step.verify.call.action.kind, step.on_in_doubt) == ("uses_check", "verify")
    assert not read("  idempotent: false\n", idempotent=True).steps[0].idempotent


def test_the_runbook_s_own_verify_goes_before() -> None:
    step = read("  verify: {run: [x], not_done_on: [1]}\n", verifies=True).steps[0]
    assert step.verify is not None and step.verify.call.action.kind == "run"
    step = read("  verify: {before: true, settle: 2s}\n", verifies=True).steps[0]
    assert step.verify is not None and step.verify.call.action.kind == "uses_check"
    assert (step.verify.before, step.verify.settle) == (True, "2s")
    ((message, *_),) = problems("  verify: {before: true}\n")
    assert message == "`verify` needs `run:`, `http:` or `uses:`"


def test_one_that_is_not_there_hides_no_other_mistake() -> None:
    text = "  with: {x: '${{ secrets.key }}', y: '${{ inputs.zz }}'}\n- {id: b, run: x, if: steps.c.outputs.any == 1}\n"
    found = problems(
        text.replace("steps.c", "steps.a") + "- {id: c, uses: a.c, needs: []}\n", schema={"type": "object"}
    )
    assert [message for message, *_ in found] == [
        "`secrets.key` is secret, and the plugin takes no secret there: the schema of its action does not say"
        " `writeOnly`",
        "there is no input `zz`",
        "step `a` declares no output `any`",
        "there is no a.c",
    ]


@pytest.mark.parametrize("name", ["actions/checkout@v4", "${{ inputs.text }}", "''", "[a]"])
def test_what_is_no_name_is_told_once(name: str) -> None:
    with pytest.raises(InvalidRunbook) as caught:
        load(HEAD.replace("a.b", name).encode(), "book.yaml", plugin=described())
    assert len(parse_report(caught.value.report)) == 1


def test_nobody_is_asked_for_a_runbook_that_uses_none() -> None:
    def never(name: str) -> Plugin:
        raise AssertionError(name)

    load(HEAD.replace("uses: a.b", "run: x").encode(), "book.yaml", plugin=never)
