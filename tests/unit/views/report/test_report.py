"""The page about a run: what it says, that it says it harmlessly, and that it stays readable with many targets."""

from __future__ import annotations

import html
import itertools
import re
from html.parser import HTMLParser

import pytest

from durun.views.report.page import page
from durun.views.report.timeline import LEFT, WIDTH, Span, draw
from stories import HOSTILE, many, small

VOID = {"meta", "br", "rect", "line", "path", "link"}


class Shape(HTMLParser):
    """The elements of a page, and what is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.opened.pop() == tag

    def handle_data(self, data):
        if self.opened[-1:] not in (["style"], ["script"]):
            self.texts.append(data)


def shape(text: str) -> Shape:
    found = Shape()
    found.feed(text)
    found.close()
    assert found.opened == []
    return found


def said(text: str) -> str:
    return " ".join(" ".join(shape(text).texts).split())


def test_it_says_what_ran_and_why():
    text = said(page(small()))
    for part in (
        "restart failed",
        "asked for by ada (uid 1000) on console",
        "why it stands so step two failed",
        "CHG-1",
        "7 failed: exit code 3",
        "in doubt lost",
        "settled: failed ada: looked at it",
        "ada approve the window is open; why=word; no separation of duties: the requester decided",
        "note.txt",
        "redacted",
        "c" * 64,
        "CIS-8.1:7.3 two",
        "ISO-27001-2022:A.8.8 the whole run",
        "durun verify run-1 --head " + "f" * 64,
        "signed with the Ed25519 key key-1",
        "root on every host",
    ):
        assert part in text, part


def test_nothing_is_fetched_and_nothing_is_run():
    text = page(small())
    tags = shape(text).tags
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in tags}
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert all(value.startswith("#") for _, attributes in tags if (value := attributes.get("href")) is not None)
    assert "url(" not in text.replace("url(#arrow)", "")
    assert "@import" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_texts(hostile):
    plain, text = page(small()), page(small(hostile))
    assert [tag for tag, _ in shape(text).tags] == [tag for tag, _ in shape(plain).tags]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert html.escape(hostile.strip("\u202e\x1b\x00"), quote=False)[:4] in text.replace("&#34;", '"').replace(
        "&#39;", "'"
    )


def test_ten_thousand_targets_are_grouped_and_what_went_wrong_comes_first():
    text = page(many(10_000))
    assert len(text) < 3_000_000
    words = said(text)
    assert "3 failed: no route" in words
    assert words.index("host-77 ") < words.index("host-1 ")
    assert text.count('class="bar') < 20_000
    assert "9997 other targets, of which the first 2000 are listed" in words
    assert "and 7997 more targets: durun show RUN --step fleet" in words


def test_the_timeline_has_a_lane_for_each_that_ran_at_once():
    timeline = draw(
        [Span("a", 0, 10, "succeeded", "1"), Span("a", 5, 15, "failed", "2"), Span("b", 15, 20, "running", "3")]
    )
    assert [row.name for row in timeline.rows] == ["a", "b"]
    (one, two), (three,) = (row.bars for row in timeline.rows)
    assert (one.x, two.y > one.y) == (LEFT, True)
    assert round(three.x + three.width) == LEFT + WIDTH
    assert timeline.gaps == []


def test_long_times_in_which_nothing_ran_are_cut_short():
    timeline = draw(
        [
            Span("a", 0, 10, "succeeded", "1"),
            Span("ask", 10, 90_010, "waiting", "w"),
            Span("b", 90_010, 90_020, "failed", "2"),
        ]
    )
    (gap,) = timeline.gaps
    assert gap.text == "1d 01h"
    one, wait, two = (row.bars[0] for row in timeline.rows)
    assert one.width == pytest.approx(two.width)
    assert wait.width == pytest.approx(gap.width)
    assert one.x + one.width <= wait.x <= two.x


def test_thousands_of_bars_are_no_more_than_there_are_pixels():
    spans = [Span("a", number, number + 0.9, "succeeded", str(number)) for number in range(20_000)]
    (row,) = draw(spans).rows
    assert len(row.bars) <= WIDTH
    assert all(one.x + one.width <= other.x + 1 for one, other in itertools.pairwise(row.bars))
