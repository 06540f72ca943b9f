"""Data files are read the same whether they are written as JSON or as YAML, and nothing is guessed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.language.data import NotData, parse_json, read_data

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(DATA)
def test_json_is_read_as_it_was_written(data: Any) -> None:
    assert parse_json(json.dumps(data)) == data
    assert read_data(json.dumps(data, ensure_ascii=False).encode(), "x.json") == data


@pytest.mark.parametrize("name", ["x.yaml", "x.json", "-"])
def test_one_mapping_is_the_same_in_json_and_yaml(name: str) -> None:
    assert read_data(b'{"a": [1, "no", null]}', name) == {"a": [1, "no", None]}
    if name != "x.json":
        assert read_data(b"a: [1, no, null]\n", name) == {"a": [1, "no", None]}


@pytest.mark.parametrize(
    ("raw", "name", "words"),
    [
        (b"{a: 1}", "x.json", "not JSON: line 1, column 2"),
        (b'{"a": 1, "a": 1}', "x.json", 'the key "a" stands there twice'),
        (b"[Infinity]", "x.json", "Infinity is not a JSON number"),
        (b"[1e400]", "x.json", "a number is too large"),
        (b'["\\udc00"]', "x.json", "half of a character"),
        (b"a: !!binary x", "x.yaml", "line 1, column 4"),
        (b"a: 1\n---\nb: 2\n", "x.yaml", "second document"),
        (b"", "x.yaml", "empty"),
    ],
)
def test_what_is_not_data_is_refused_with_its_place(raw: bytes, name: str, words: str) -> None:
    with pytest.raises(NotData) as caught:
        read_data(raw, name)
    assert words in caught.value.message


def test_json_with_a_key_twice_is_no_more_accepted_for_being_yaml_too() -> None:
    with pytest.raises(NotData, match="duplicate key `a`"):
        read_data(b'{"a": 1, "a": 2}', "-")
