"""Every provider of secrets keeps this contract, real ones and a double alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.secret_sources import SOURCES, Source
from durun.errors import SecretUnavailable

HARD = {
    "spaces": "  two  spaces ",
    "lines": "-----BEGIN KEY-----\nabc\n-----END KEY-----",
    "quotes": "a'b\"c\\d$e`f",
    "umlauts": "Schlüssel – 鍵 – 🔑",
    "control characters": "\x01\x1b[31m\t\x7f",
    "a leading dash": "-n",
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with request.param(tmp_path) as found:
        yield found


def refused(source: Source) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as caught:
        source.get()
    return caught.value


@pytest.mark.parametrize("value", HARD.values(), ids=HARD)
def test_a_secret_comes_as_it_is(source, value):
    source.put(value)
    assert source.get() == value


def test_a_changed_secret_is_seen_at_once(source):
    source.put("old-one")
    assert source.get() == "old-one"
    source.put("new-one")
    assert source.get() == "new-one"


def test_the_newline_that_files_and_commands_end_with_is_not_part_of_it(source):
    source.put("hunter22\n")
    assert source.get() == ("hunter22" if source.takes_off_newline else "hunter22\n")


def test_only_one_newline_is_taken_off(source):
    source.put("hunter22\n\n")
    assert source.get() == ("hunter22\n" if source.takes_off_newline else "hunter22\n\n")


@pytest.mark.fault(30)
def test_a_missing_one_is_refused_by_its_name_and_source_with_what_to_do(source):
    source.put(None)
    error = refused(source)
    assert error.exit_code == 9
    assert error.message.startswith("secret x: ")
    assert error.hint
    assert "\n" not in error.message + error.hint


def test_an_empty_one_is_missing_too(source):
    source.put("")
    assert refused(source).message.startswith("secret x: ")


def test_no_message_holds_any_of_a_value(source):
    value = f"hunter22{chr(0)}hunter22" if source.provider != "env" else "hunter22\udcff"
    source.put(value)
    try:
        got = source.get()
    except SecretUnavailable as error:
        assert "hunter22" not in error.message + error.hint
        assert error.__cause__ is None or "hunter22" not in str(error.__cause__)
    else:
        pytest.fail(f"a NUL was taken: {got!r}")


def test_a_megabyte_is_a_secret_and_more_is_none(source):
    size = (1 << 20) if source.provider != "env" else 1 << 16
    source.put("x" * size)
    assert source.get() == "x" * size
    source.put("x" * ((1 << 20) + 1))
    assert "too large" in (message := refused(source).message) or "more than a secret" in message
