"""What an answer means, and what silence: the whole table."""

from __future__ import annotations

import pytest

from durun.http.order import read_order
from durun.http.verdict import matches, of_silence, of_status

from .conftest import ORDER


def order(kind: str, **more: object) -> object:
    return read_order({**ORDER, "url": "https://x/", "kind": kind, **more})


@pytest.mark.parametrize(
    ("status", "safe", "repeatable", "once"),
    [
        (200, 0, 0, 0), (299, 0, 0, 0), (304, 3, 3, 3), (404, 4, 4, 4), (409, 4, 4, 4), (429, 4, 4, 4),
        (500, 5, 5, 5), (502, 5, 5, 76), (503, 5, 5, 5), (504, 5, 5, 76), (599, 5, 5, 5), (700, 5, 5, 5),
    ],
)  # fmt: skip
def test_a_status(status: int, safe: int, repeatable: int, once: int) -> None:
    for kind, code in (("safe", safe), ("repeatable", repeatable), ("once", once)):
        assert of_status(order(kind), status).code == code


@pytest.mark.parametrize(
    ("kind", "sent", "code"),
    [
        ("safe", False, 75), ("safe", True, 75), ("repeatable", False, 75), ("repeatable", True, 74),
        ("once", False, 75), ("once", True, 76),
    ],
)  # fmt: skip
def test_silence(kind: str, sent: bool, code: int) -> None:
    assert of_silence(order(kind), "gone", sent=sent).code == code


def test_a_class_of_statuses() -> None:
    assert matches(204, ["2xx"]) and matches(404, ["2xx", "404"])
    assert not matches(404, ["2xx"]) and not matches(204, [])
