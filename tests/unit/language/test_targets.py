"""Targets and their keys: names that a run keeps for ever, so each is sound, and there is one of each."""

import json
import time
from typing import Any

import pytest

from durun.language.expressions import ExpressionError, parse_value, render
from durun.language.targets import TargetError, as_targets, matrix, parse_targets_file, parse_targets_text


def keys(value: Any, key: Any = None) -> list[str]:
    return [target.key for target in as_targets(value, None if key is None else parse_value(key), "step `s`", render)]


def refusal(value: Any, key: Any = None) -> TargetError:
    with pytest.raises(TargetError) as caught:
        keys(value, key)
    assert caught.value.exit_code == 1
    assert caught.value.message.startswith("step `s`: ")
    return caught.value


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        (["a", "b"], None, ["a", "b"]),
        ([1, 2.5], None, ["1", "2.5"]),
        ([{"name": "a"}, {"id": 7}, {"host": "h"}, {"name": "n", "id": 1, "host": "h"}], None, ["a", "7", "h", "n"]),
        ([{"name": None, "id": "i"}, {"name": "", "host": "h"}], None, ["i", "h"]),
        ([{"zone": "a", "n": 1}], "${{ target.zone }}-${{ target.n }}", ["a-1"]),
        ([{"n": 1}], "${{ target.n }}", ["1"]),
        (["x"], "fixed", ["fixed"]),
        (["a b/c:d é 🦊"], None, ["a b/c:d é 🦊"]),
        (["e\u0301"], None, ["é"]),
        ([], None, []),
        (("a",), None, ["a"]),
    ],
)
def test_a_key_is_the_value_its_name_or_what_the_template_says(value: Any, key: Any, expected: list[str]) -> None:
    assert keys(value, key) == expected


def test_a_target_keeps_its_value() -> None:
    assert as_targets([{"name": "a", "n": [1]}], None, "s", render)[0].value == {"name": "a", "n": [1]}


@pytest.mark.fault(36)
def test_a_key_that_is_there_twice_is_refused_with_both_places() -> None:
    error = refusal(["a", "b", "a"])
    assert error.message == "step `s`: targets 1 and 3 have the same key `a`"
    assert "target_key" in error.hint
    assert "targets 1 and 2" in refusal(["é", "e\u0301"]).message
    assert "targets 1 and 2" in refusal([1, "1"]).message


@pytest.mark.parametrize(
    ("value", "key", "words"),
    [
        ({"a": 1}, None, "targets must be a list, and are of type object"),
        ("a", None, "targets must be a list, and are of type string"),
        (None, None, "targets must be a list, and are of type null"),
        ([{"zone": "a"}], None, "target 1 has no `name`, `id` or `host`"),
        (["a", None], None, "target 2 has no `name`, `id` or `host`"),
        ([True], None, "target 1 is named by a value of type boolean"),
        ([["a"]], None, "target 1 is named by a value of type array"),
        ([{"a": [1]}], "${{ target.a }}", "target 1: its `target_key` is of type array, and a key is text or a number"),
        ([""], None, "its key is empty"),
        (["x" * 257], None, "its key is 257 characters long"),
        (["a\nb"], None, r"its key 'a\nb' holds a character that can't be printed"),
        (["a\x1b[2J"], None, "can't be printed"),
        (["a\u202eb"], None, "can't be printed"),
        (["a\0"], None, "can't be printed"),
    ],
)
def test_what_can_not_be_a_target_is_refused(value: Any, key: Any, words: str) -> None:
    error = refusal(value, key)
    assert words in error.message
    assert error.message.isprintable()


def test_a_key_that_can_not_be_rendered_is_the_expressions_error() -> None:
    with pytest.raises(ExpressionError, match="has no `nmae`"):
        keys([{"name": "a"}], "${{ target.nmae }}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n", ["a", "b"]),
        ("\n  a  \n\n\tb\r\n", ["a", "b"]),
        ("", []),
        ("  \n", []),
        ('[{"name": "a"}, "b", 1]\n', [{"name": "a"}, "b", 1]),
        ("\n [ ]", []),
        ("true\n1\n", ["true", "1"]),
        ('{"a": 1}', ['{"a": 1}']),
    ],
)
def test_a_command_prints_a_json_array_or_one_target_a_line(text: str, expected: list[Any]) -> None:
    assert parse_targets_text(text) == expected


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1e", "\x85", "\u2028", "\xa0"])
def test_what_unicode_takes_for_an_end_or_a_blank_makes_no_other_target(end: str) -> None:
    for name in (f"a{end}b", f"a{end}"):
        assert "can't be printed" in refusal(parse_targets_text(f"x\n{name}\n")).message


@pytest.mark.parametrize("text", ["[a]", "[1, 2", '["a"] b', "[NaN]"])
def test_a_json_array_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match="began a JSON array"):
        parse_targets_text(text)


def test_a_matrix_is_every_combination_the_last_axis_fastest() -> None:
    assert matrix({"a": [1, 2], "b": ["x", "y"]}) == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]  # fmt: skip
    assert matrix({"a": [1], "b": []}) == []


def test_a_matrix_of_no_lists_or_of_too_many_is_refused_before_it_is_made() -> None:
    with pytest.raises(TargetError, match="the axis `b` must be a list, and is of type string"):
        matrix({"a": [1], "b": "xy"})
    with pytest.raises(TargetError, match="1,000,000,000,000 targets are more than"):
        matrix({name: list(range(1000)) for name in "abcd"})


@pytest.mark.parametrize(
    ("name", "text"), [("t.json", b'["a", {"b": 1}]'), ("t.yaml", b"- a\n- b: 1\n"), ("t", b'["a", {"b": 1}]')]
)
def test_a_file_holds_a_list_in_yaml_or_json(name: str, text: bytes) -> None:
    assert parse_targets_file(text, name) == ["a", {"b": 1}]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.json", b"{}", "t.json must hold a list of targets, and holds a value of type object"),
        ("t.json", b"[1,]", "t.json: not JSON: line 1"),
        ("t.json", b"\xff", "not UTF-8"),
        ("t.yaml", b"a: 1\n", "t.yaml must hold a list"),
        ("t.yaml", b"- a\n- b: 1\n  b: 2\n", "t.yaml: line 3, column 3: duplicate key `b`"),
        ("t.yaml", b"- " + b"x" * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_a_file_that_holds_none_is_refused_with_its_name(name: str, text: bytes, words: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets_file(text, name)
    assert words in caught.value.message


@pytest.mark.fault(41)
def test_a_hundred_thousand_targets_are_ready_in_about_a_second() -> None:
    text = json.dumps([{"name": f"host-{number}", "zone": "a", "address": "10.0.0.1"} for number in range(100_000)])
    assert len(text) > 1024 * 1024
    began = time.process_time()
    targets = as_targets(parse_targets_file(text.encode(), "t.json"), None, "s", render)
    assert time.process_time() - began < 3
    assert len(targets) == 100_000
    assert targets[-1].key == "host-99999"
