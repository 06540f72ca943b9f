"""Durations as people write them."""

from __future__ import annotations

import pytest

from durun.model.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("1m500ms", 60.5),
     ("0s", 0), ("1d1h1m1s1ms", 90061.001), ("3650d", 315360000)],
)  # fmt: skip
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "30", "30 s", "-5s", "5x", "30m1h", "1h1h", "1e3s", "٣s", " 5s", "5s\n", "P1D"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_bare_number_is_told_what_to_write():
    with pytest.raises(ValueError, match="write 30s for seconds"):
        parse_duration("30")


@pytest.mark.parametrize("text", ["3651d", "9" * 60 + "s"])
def test_the_longest_is_ten_years(text):
    with pytest.raises(ValueError, match="3650d"):
        parse_duration(text)


def test_an_endless_text_is_refused_at_once():
    with pytest.raises(ValueError, match="duration"):
        parse_duration("1" * 1_000_000)
