"""Strings with `${{ … }}`, conditions, and what is read from an expression without a value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.language.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    Reference,
    evaluate,
    evaluate_condition,
    expressions_in,
    parse_expression,
    parse_value,
    references,
    render,
    static_kind,
)
from durun.model.values import Expression, Template

from .evaluated import SCOPE, Lazy, syntax_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${{ inputs.count }}", 3),
        ("  ${{ inputs.count }}", "  3"),
        ("n=${{ inputs.count }}, on=${{inputs.on}}", "n=3, on=true"),
        ("${{ inputs.list }}${{ inputs.none }}", "[1, 2]null"),
        ("a ${{ {'a': {}} }} b", 'a {"a": {}} b'),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ '}}' ~ \"}}\" }}!", "}}}}!"),
        ("$${{ inputs.count }}", "${{ inputs.count }}"),
        ("$${{ ${{ inputs.count }}", "${{ 3"),
        ("$$${{ x }}", "$${{ x }}"),
        ("}} { {{ $ ${x} $(y) {% x %} {# y #}", "}} { {{ $ ${x} $(y) {% x %} {# y #}"),
        ("a\r\n${{ inputs.count\r\n }}\r\n\n", "a\r\n3\r\n\n"),
        ("${{-inputs.count}}", -3),
        ("é${{ inputs.name }}🦊", "éapp🦊"),
    ],
)
def test_a_string_with_expressions_renders(text: str, expected: Any) -> None:
    assert render(parse_value(text), SCOPE) == expected


def test_only_strings_with_expressions_become_templates() -> None:
    parsed = parse_value({"a": ["x", "${{ a }}", 1, None], "${{ key }}": "$${{"})
    assert parsed == {"a": ("x", Template((Expression("a"),)), 1, None), "${{ key }}": "${{"}
    assert [found.source for found in expressions_in(parsed)] == ["a"]
    assert render(parsed, {"a": Lazy({"b": (1,)})}) == {"a": ["x", {"b": [1]}, 1, None], "${{ key }}": "${{"}


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("ab ${{ inputs.x", 3),
        ("ab ${{ inputs.x }", 16),
        ("ab ${{ a # b }}", 9),
        ("ab ${{ 'x }}", 7),
        ("é ${{ a.b( }}", 11),
        ("a ${{ x }} ${{ f() }}", 15),
        ("a ${{ x -}} b", 8),
        ("a ${{}} b", 5),
    ],
)
def test_a_syntax_error_tells_where_it_is(text: str, offset: int) -> None:
    assert syntax_error(text).offset == offset


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_survives_whatever_it_holds(text: str) -> None:
    assert parse_value(text.replace("${{", "$${{")) == text


@given(st.lists(st.sampled_from(["a", "{", "}", "$", " ", "é", "'", "\n"])).map("".join), st.text("ab}{ '\"$"))
def test_text_around_an_expression_and_its_value_survive(before: str, held: str) -> None:
    template = parse_value(before.replace("${{", "$${{").rstrip("$") + "${{ x }}" + "!")
    assert render(template, {"x": held}) == before.rstrip("$") + held + "!"


LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("a'\"\\}{é\n", max_size=5)


KEYS = st.text("ab", max_size=2)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)))
def test_a_json_literal_is_an_expression_with_its_own_value(data: Any) -> None:
    assert render(parse_value("${{ " + json.dumps(data).replace("null", "none") + " }}"), {}) == data


@given(st.text("abx.|()[]{}'\"+-*/%~=<>!, 0123", max_size=30))
def test_no_text_makes_the_parser_or_the_evaluation_fail_in_another_way(text: str) -> None:
    try:
        evaluate(parse_expression(text), {"a": {"b": [1]}, "x": "y"})
    except (ExpressionSyntaxError, ExpressionError) as error:
        assert error.message


@pytest.mark.parametrize("text", ["inputs.on", "${{ inputs.on }}", "  ${{ inputs.on }}\n"])
def test_a_condition_is_bare_or_one_whole_expression(text: str) -> None:
    assert parse_expression(text) == Expression("inputs.on")
    assert evaluate_condition(parse_expression(text), SCOPE) is True


@pytest.mark.parametrize("text", ["${{ a }} b", "${{ a }}${{ b }}", "${{ a }} == 1", "$${{ a }}", "a ${{ b }}", "a }}"])
def test_a_condition_with_something_beside_it_is_refused(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        parse_expression(text)


@pytest.mark.fault(39)
@pytest.mark.parametrize("text", ["inputs.name", "inputs.count", "inputs.none", "inputs.list", "'true'", "1"])
def test_a_condition_that_is_no_boolean_is_an_error_and_not_a_guess(text: str) -> None:
    with pytest.raises(ExpressionError, match="must be true or false") as caught:
        evaluate_condition(parse_expression(text), SCOPE)
    assert caught.value.exit_code == 1


@pytest.mark.fault(39)
def test_a_condition_over_a_missing_name_is_an_error_and_not_false() -> None:
    for text in ["inputs.missing", "inputs.missing == 'x'", "not inputs.missing"]:
        with pytest.raises(ExpressionError, match="has no `missing`"):
            evaluate_condition(parse_expression(text), SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inputs.x", {("inputs", "x"): False}),
        ("steps.a.targets['k'].outputs.x", {("steps", "a", "targets", "k", "outputs", "x"): False}),
        ("steps.a.targets[target.name].outputs.x", {
            ("steps", "a", "targets", None, "outputs", "x"): False, ("target", "name"): False}),
        ("steps.a.outputs.x | default(inputs.y)", {("steps", "a", "outputs", "x"): True, ("inputs", "y"): False}),
        ("steps.a.outputs.x is defined and inputs.y", {("steps", "a", "outputs", "x"): True, ("inputs", "y"): False}),
        ("steps.a.outputs.l | first | default(0)", {("steps", "a", "outputs", "l"): True}),
        ("(a + b) | default(0)", {("a",): False, ("b",): False}),
        ("a[0].b[1:c]", {("a", 0, "b", None): False, ("c",): False}),
        ("'inputs.x'", {}),
        ("{'a': inputs.x}['a']", {("inputs", "x"): False}),
        ("inputs.x if env.Y else run.id", {("inputs", "x"): False, ("env", "Y"): False, ("run", "id"): False}),
    ],
)  # fmt: skip
def test_references_are_read_from_the_syntax(text: str, expected: dict[tuple[str | int | None, ...], bool]) -> None:
    assert references(parse_expression(text)) == {Reference(path, optional) for path, optional in expected.items()}


def test_the_kind_of_a_value_is_told_where_it_can_be() -> None:
    kinds = {"'x'": "string", "1": "number", "a == 1": "boolean", "a ~ b": "string", "not a": "boolean", "a | d": None}
    assert {text: static_kind(parse_expression(text)) for text in kinds} == kinds
    assert static_kind(parse_expression("inputs.x")) == Reference(("inputs", "x"))
