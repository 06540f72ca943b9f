"""`${{ … }}` from text to value: what a runbook's author and an attacker would try."""

import json
import time
from typing import Any

import pytest

from durun.language.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    MissingName,
    parse_expression,
    parse_value,
    render,
)

from .evaluated import Lazy, refusal, value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inputs.count + 1", 4),
        ("inputs['count'] * 2 - 1", 5),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("2 ** 10", 1024),
        ("-inputs.count", -3),
        ("inputs.list + [3]", [1, 2, 3]),
        ("'a' + 'b'", "ab"),
        ("'a' ~ true ~ none ~ 1 ~ [true]", "atruenull1[true]"),
        ("inputs.list[0]", 1),
        ("inputs.list[-1]", 2),
        ("inputs.list[0:1]", [1]),
        ("inputs.list.0", 1),
        ("inputs.frozen == [1, 2]", True),
        ("inputs.frozen", [1, 2]),
        ("(1, 2)", [1, 2]),
        ("{'a': {'b': 1}}", {"a": {"b": 1}}),
        ("1 < inputs.count <= 3", True),
        ("2 in inputs.frozen", True),
        ("'name' in inputs", True),
        ("'x' not in inputs", True),
        ("'pp' in inputs.name", True),
        ("'yes' if inputs.on else 'no'", "yes"),
        ("inputs.none is none", True),
        ("inputs.on and not inputs.empty", True),
        ("inputs.hosts | selectattr('up') | map(attribute='name') | list", ["a"]),
        ("inputs.hosts | rejectattr('up') | map(attribute='name') | join(',')", "b"),
        ("inputs.hosts | map(attribute='up')", [True, False]),
        ("inputs.list | join('-')", "1-2"),
        ("[true, 'x'] | join(',')", "true,x"),
        ("inputs.list | length", 2),
        ("inputs.list | tojson", "[1, 2]"),
        ("true | string", "true"),
        ("'[1]' | from_json", [1]),
        ("' a,b ' | trim | split(',')", ["a", "b"]),
        ("'12' | int + 1", 13),
        ("'1.5' | float", 1.5),
        ("'x' | int(0)", 0),
        ("2.567 | round(1)", 2.6),
        ("2.1 | round(0, 'ceil')", 3.0),
        ("[3, 1, 3] | unique | sort", [1, 3]),
        ("[1, 5, 3] | max", 5),
        ("[1, 5, 3] | sum", 9),
        ("{'b': 1, 'a': 2} | dictsort", [["a", 2], ["b", 1]]),
        ("{'a': 1} | items", [["a", 1]]),
        ("'a b' | urlencode", "a%20b"),
        ("'../ä?x=1&y#' | urlencode", "..%2F%C3%A4%3Fx%3D1%26y%23"),
        ("[true, none, 1.5] | map('urlencode') | join(' ')", "true null 1.5"),
        ("{'a b': 'c/d', 'e': true} | urlencode", "a%20b=c%2Fd&e=true"),
        ("'abc' | replace('b', '') | upper", "AC"),
        ("[] | first | default('none')", "none"),
        ("'it' 's'", "its"),
    ],
)
def test_an_expression_has_the_value_that_jinja2_and_json_agree_on(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("key", ["copy", "items", "get", "keys", "values"])
def test_a_dot_is_a_key_even_where_a_mapping_has_a_method(key: str) -> None:
    assert value(f"inputs.{key}") == key[0]
    assert value(f"inputs['{key}']") == key[0]
    assert "has no" in refusal(f"steps.{key}").message


@pytest.mark.parametrize(
    "text",
    [
        "''.__class__",
        "inputs.__class__",
        "inputs.__init__.__globals__",
        "inputs['__class__']",
        "[].append",
        "[]['append']",
        "(1).real",
        "inputs.list.__class__.__mro__",
        "steps._data",
        "steps['_data']",
        "[inputs] | map(attribute='__class__') | list",
        "[''] | map(attribute='__class__.__mro__') | list",
        "[steps] | map(attribute='_data') | list",
        "['', ''] | sort(attribute='__class__')",
        "[''] | selectattr('__class__') | list",
        "[steps] | join(',', '_data')",
        "range",
        "dict",
        "lipsum",
        "cycler",
        "joiner",
        "namespace",
        "self",
        "loop",
        "environment",
        "'%s' % inputs",
        "'%1000000000d' % 1",
    ],
)
def test_no_way_leads_to_python(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("range(9)", "nothing can be called"),
        ("inputs.items()", "nothing can be called"),
        ("''.join([])", "nothing can be called"),
        ("'%s' | format(1)", "no filter `format`"),
        ("'' | attr('__class__')", "no filter `attr`"),
        ("[1, 2] | random", "no filter `random`"),
        ("inputs | xmlattr", "no filter `xmlattr`"),
        ("inputs | pprint", "no filter `pprint`"),
        ("inputs | joim", "did you mean `join`?"),
        ("inputs is callable", "no test `callable`"),
        ("inputs is filter", "no test `filter`"),
        ("1 is divisibleby(num=1)", "named arguments"),
        ("[1] | join(*inputs)", "`*` arguments"),
        ("1 if true", "needs its `else`"),
        ("a b", "ends before `b`"),
        ("a = 1", "ends before"),
        ("set x", "ends before"),
        ("", "empty"),
        ("   ", "empty"),
        ("a ? b", "unexpected char"),
        ("'a", "a string has no end"),
        ("1 +", "nothing"),
        (r"'\d'", "escape"),
        (r"'\ud800'", "surrogate"),
        ("(" * 500 + "1" + ")" * 500, "nested too deeply"),
        ("-" * 500 + "1", "nested too deeply"),
        ("a" + ".b" * 500, "nested too deeply"),
        ("'" + "x" * 5000 + "'", "longer than 4096"),
    ],
)
def test_what_is_not_in_the_language_is_refused_before_anything_runs(text: str, why: str) -> None:
    if text == "1 +":
        why = "end of template"
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_expression(text)
    assert why in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "inputs.missing",
        "nothing",
        "nothing.at.all",
        "inputs.missing == 1",
        "1 == inputs.missing",
        "inputs.missing != 1",
        "inputs.missing is none",
        "inputs.missing is string",
        "inputs.missing is not string",
        "inputs.missing in []",
        "1 in inputs.missing",
        "not inputs.missing",
        "inputs.missing or true",
        "true and inputs.missing",
        "'x' if inputs.missing else 'y'",
        "[inputs.missing]",
        "{'a': inputs.missing}",
        "[inputs.missing] | length",
        "'' ~ inputs.missing",
        "inputs.missing | tojson",
        "inputs.missing | list",
        "inputs.name.first",
        "inputs.none.x",
        "inputs.list[9]",
        "inputs.list[true]",
        "[] | first",
        "[] | max",
        "inputs.hosts | map(attribute='nam') | list",
        "inputs.hosts | selectattr('nam', 'eq', 'a') | list",
        "inputs.hosts | selectattr('nam', 'string') | list",
        "inputs.hosts | sort(attribute='nam')",
        "inputs[nothing] | default(1)",
        "(inputs.missing + 1) | default(1)",
        "inputs.missing | default(nothing)",
    ],
)
def test_a_missing_name_is_an_error_wherever_it_is_read(text: str) -> None:
    assert refusal(text).exit_code == 1


def test_the_error_names_the_expression_the_name_and_a_near_match() -> None:
    error = refusal("inputs.nmae ~ '!'")
    assert error.message == "`inputs.nmae ~ '!'`: `inputs` has no `nmae`"
    assert error.hint == "did you mean `name`?"
    assert "default" in refusal("inputs.zzzz").hint


class Failing(Lazy):
    """A group's outputs, which are themselves rendered when they are read."""

    def __getitem__(self, key: str) -> Any:
        return value(self._data[key])


def test_what_is_missing_behind_a_lazy_value_is_missing() -> None:
    scope = {"group": Failing({"gone": "inputs.nmae", "wrong": "1 / 0"})}
    assert value("group.gone | default('x')", scope) == "x"
    assert value("group.gone is defined", scope) is False
    with pytest.raises(MissingName) as caught:
        value("group.gone ~ ''", scope)
    assert caught.value.message == "`group.gone ~ ''`: `inputs.nmae`: `inputs` has no `nmae`"
    assert caught.value.hint == "did you mean `name`?"
    with pytest.raises(ExpressionError, match="division by zero"):
        value("group.wrong | default('x')", scope)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.list + 1", "`+` does not work on an array and a number"),
        ("''.__class__", "the value is a string and has no `__class__`"),
        ("inputs.hosts[0].nam", "`inputs.hosts[0]` has no `nam`"),
        ("inputs.list[9]", "`inputs.list` has no entry 9, it has 2"),
        ("inputs.list | upper", "filter `upper` wants a string, not an array"),
        ("inputs.missing is none", "`inputs` has no `missing`"),
    ],
)
def test_an_error_is_said_in_the_words_of_the_runbook(text: str, message: str) -> None:
    assert refusal(text).message == f"`{text}`: {message}"


def test_an_error_never_shows_a_value() -> None:
    scope = {"inputs": {"password": "hunter2", "deep": {"a": "hunter2"}}}
    attempts = """
        inputs.password | int; inputs.password + 1; inputs.password.x; inputs.deep | from_json; inputs.deep | abs
        inputs.password | from_json; inputs.password in 1; inputs.deep | sum; inputs.password | float
        inputs.password < 1; inputs.password is odd; [1, inputs.password] | sort
    """
    for text in attempts.strip().replace("\n", ";").split(";"):
        with pytest.raises(ExpressionError) as caught:
            value(text, scope)
        assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps.a.outputs.x | default(9)", 1),
        ("steps.skipped.outputs.b.c.d | default('x')", "x"),
        ("steps.no.outputs.b | default('x')", "x"),
        ("no.way | default('x')", "x"),
        ("no | d('x')", "x"),
        ("inputs.none.x | default('x')", "x"),
        ("inputs.list[9] | default('x')", "x"),
        ("inputs.name | default(nothing)", "app"),
        ("inputs.missing | default(inputs.name)", "app"),
        ("inputs.missing | default(inputs.also | default(1))", 1),
        ("inputs.missing | default", ""),
        ("inputs.none | default('x')", None),
        ("inputs.none | default('x', true)", "x"),
        ("inputs.missing | default(default_value='x')", "x"),
        ("inputs.missing | upper | default('x')", "x"),
        ("inputs.missing is defined", False),
        ("a.b.c is defined", False),
        ("a.b.c is undefined", True),
        ("steps.a.outputs.x is defined", True),
        ("inputs.missing is not defined", True),
    ],
)
def test_default_and_is_defined_forgive_at_any_depth(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "'x' * 10 ** 9",
        "[1] * 10 ** 9",
        "9 ** (9 ** 9)",
        "2 ** 4097",
        "10.0 ** 400",
        "0x" + "f" * 4000,
        "'a' ~ 0x" + "f" * 4000,
        "0 ** -1",
        "(-8) ** 0.5",
        "1 / 0",
        "1 % 0",
        "inputs.big + inputs.big",
        "inputs.big ~ inputs.big",
        "inputs.big | replace('x', 'yy')",
        "inputs.big | replace('', 'y')",
        "[1, 2, 3] | join(inputs.big)",
        "[inputs.big, inputs.big] | tojson",
        "1 | round(10 ** 9, 'ceil')",
        "1 | tojson(10 ** 9)",
        "inputs.list[::0]",
        "1e999",
        "'nan' | float",
        "'x' | int",
        "5 | upper",
        "5 | length",
        "1 + 'a'",
        "true + 1",
        "1 < 'a'",
        "{1: 2}",
        "-inputs.name",
        "1 in 5",
        "'a' | sum",
        "1 | list",
        "inputs.hosts | sort",
        "'{' | from_json",
        r"""'"\\ud800"' | from_json""",
        "5 | dictsort",
        "'a' is divisibleby(0)",
        "'%' is odd",
        "'%9999999999d' is even",
        "'%(a)s' is divisibleby({})",
        "['%9999999999d'] | select('odd')",
    ],
)
def test_what_has_no_bounded_value_is_an_error_at_once(text: str) -> None:
    began = time.process_time()
    refusal(text)
    assert time.process_time() - began < 1


def test_a_filter_names_the_first_key_on_its_way_that_is_not_there() -> None:
    assert "no `b` in the number" in refusal("[{'a': 1}] | map(attribute='a.b.c')").message


def test_a_value_that_repeats_itself_can_not_grow_without_end() -> None:
    wide = ", ".join(["x"] * 200)
    scope = {"x": ["y" * 1_000_000]}
    with pytest.raises(ExpressionError, match="too big"):
        value(f"[{wide}]", scope)


def test_a_deep_value_is_an_error_and_no_crash() -> None:
    deep: Any = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        value("x", {"x": deep})


def test_a_hundred_thousand_keys_render_in_about_a_second() -> None:
    template = parse_value("${{ target.name }}-${{ target.zone | upper }}")
    began = time.process_time()
    for number in range(100_000):
        render(template, {"target": {"name": number, "zone": "a"}})
    assert time.process_time() - began < 5
