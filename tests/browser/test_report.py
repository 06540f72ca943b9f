"""The report in a real Chromium: nothing is fetched or run, nothing complains, everybody can read it, it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durun.views.report.page import page as report_of
from stories import HOSTILE, many, small


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a report. What the page asked for and complained of is noted."""
    contexts = []

    def open_(text: str, scheme: str = "light", width: int = 1250) -> Any:
        path = tmp_path / f"report-{len(contexts)}.html"
        path.write_text(text, encoding="utf-8")
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.noted = []
        page.on("console", lambda message: page.noted.append(message.text))
        page.on("pageerror", lambda error: page.noted.append(str(error)))
        page.on("dialog", lambda dialog: page.noted.append(dialog.message))
        page.on("request", lambda request: page.noted.append(request.url))
        page.goto(path.as_uri())
        assert page.noted.pop(0) == path.as_uri()
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_complains_of_nothing_and_can_be_read_by_everybody(opened: Any, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(report_of(small()), scheme)
    assert page.noted == []
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_dark_is_dark_and_paper_is_white(opened: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = opened(report_of(small()), "dark")
    assert page.evaluate(ground) == "rgb(20, 24, 28)"
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.set_viewport_size({"width": 700, "height": 990})
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_do_nothing(opened: Any, hostile: str) -> None:
    page = opened(report_of(small(hostile)))
    assert page.noted == []
    assert page.evaluate("document.querySelectorAll('script, img, iframe').length") == 0
    assert page.evaluate("document.querySelectorAll('h2').length") == 10


def test_ten_thousand_targets_can_be_read(opened: Any) -> None:
    page = opened(report_of(many(10_000)))
    assert page.noted == []
    bad = page.locator("article >> text=host-77").first.bounding_box()
    good = page.locator("article >> summary").first.bounding_box()
    assert bad["y"] < good["y"]
    page.locator("article >> summary").first.click()
    assert page.locator("article details tbody tr").count() == 2000


@pytest.mark.parametrize("width", [360, 1250])
def test_no_page_is_wider_than_its_window(opened: Any, width: int) -> None:
    page = opened(report_of(small("a-word-that-is-rather-long" * 8)), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_bar_and_a_box_say_what_they_are(opened: Any) -> None:
    page = opened(report_of(small()))
    titles = page.evaluate(
        "JSON.stringify([...document.querySelectorAll('svg title')].map(title => title.textContent))"
    )
    assert "two: 8 failed" in json.loads(titles)
    assert any(title.startswith("three, attempt 1: succeeded, ") for title in json.loads(titles))
