"""`notify`: what is read, and what is said where Apprise is not installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durun.language.load import load
from durun.model.runbook import SAFE_METHODS, Notice

BOOK = "durun: 1\nname: test\nnotify:\n- {events: [failed, in_doubt], %s}\nsteps: [{id: a, run: x}]\n"


def read(way: str) -> Notice:
    (notice,) = load((BOOK % way).encode(), "book.yaml").runbook.notify
    return notice


def test_a_script_is_for_the_shell_that_is_named() -> None:
    notice = read("run: tell, shell: sh, env: {A: b}")
    assert (notice.events, notice.call.action.spec) == (("failed", "in_doubt"), "tell")
    assert (notice.call.shell.argv[0], notice.call.env) == ("sh", {"A": "b"})


def test_a_request_changes_something_and_may_be_sent_twice() -> None:
    spec = read('http: {url: "https://a.example/"}').call.action.spec
    assert spec["method"] not in SAFE_METHODS and spec["kind"] == "repeatable"


@pytest.mark.parametrize("installed", [True, False])
def test_that_apprise_is_missing_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    found: Callable[[str], object | None] = lambda name: object() if installed else None  # noqa: E731
    monkeypatch.setattr("durun.language.notices.find_spec", found)
    loaded = load((BOOK % 'apprise: "mailtos://a.example"').encode(), "book.yaml")
    said = ["book.yaml:4:32: `apprise` is not installed here (pip install 'durun[notify]')"]
    assert list(loaded.warnings) == ([] if installed else said)
