from __future__ import annotations

import pytest

from durun.views.text import duration, fit, harmless, one_line, size, table, width_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (185, "3m 05s"), (7620, "2h 07m"), (273_600, "3d 04h")],
)
def test_a_duration_is_as_long_as_it_needs_to_be(seconds, text):
    assert duration(seconds) == text


def test_no_duration_is_empty():
    assert duration(None) == ""


@pytest.mark.fault(34)
def test_control_characters_are_shown_not_obeyed():
    assert harmless("\x1b[2J\x07\x7f\x9b\u202e") == "␛[2J␇␡\\u009b\\u202e"
    assert harmless("tab\tand\nline") == "tab\tand\nline"
    assert one_line("a\n  b\x00") == "a b␀"


def test_text_is_cut_by_columns_not_by_characters():
    assert width_of("日本") == 4
    assert fit("日本語", 5) == "日本…"
    assert fit("abcdef", 4) == "abc…"
    assert fit("abc", 3) == "abc"


@pytest.mark.parametrize("width", [20, 30, 40, 60])
def test_a_table_fits(width):
    text = table(("ID", "NAME", "STATUS"), [("x" * 10, "n" * 50, "failed")], width, shrink=1)
    assert all(width_of(line) <= width for line in text.splitlines())
    assert "failed" in text


def test_a_table_without_a_width_cuts_nothing():
    assert "n" * 500 in table(("ID", "NAME"), [("x", "n" * 500)], None, shrink=1)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_549_000, "1.5 MB"),
        (3_221_225_472, "3.2 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes(count, text):
    assert size(count) == text
