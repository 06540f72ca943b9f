"""From an answer, or the want of one, to an exit code and a reason. Pure, so that the rule is tested alone."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from durun.http.order import Order
from durun.model.retry import AMBIGUOUS, NOTHING_HAPPENED, UNANSWERED

DONE, NOT_DONE, UNKNOWN = 0, 1, 2
"""The exit codes of a question."""
IMPOSSIBLE = 1
"""The request can't be made. (Of a status that is not expected, the exit code is the first digit.)"""


class Verdict(NamedTuple):
    """How the worker ends, and what is said of it."""

    code: int
    reason: str


def of_status(order: Order, status: int, more: str = "") -> Verdict:
    """What a whole answer means. `more` is added to the reason."""
    reason = f"{told_status(status)} from {told(order)}{more}"
    if order.asks is not None:
        if matches(status, order.asks["done"]):
            return Verdict(DONE, reason)
        if matches(status, order.asks["not_done"]):
            return Verdict(NOT_DONE, reason)
        return Verdict(UNKNOWN, f"{reason} is neither in done_on nor in not_done_on")
    if matches(status, order.expect):
        return Verdict(DONE, reason)
    if order.kind == "once" and matches(status, order.ambiguous):
        return Verdict(AMBIGUOUS, f"{reason}: whoever answered can't tell whether it was done")
    return Verdict(min(max(status // 100, 2), 5), reason)


def of_silence(order: Order, why: str, *, sent: bool) -> Verdict:
    """What it means that there is no whole answer. `sent`: something of the request may have reached the server."""
    reason = f"{why}: {told(order)}"
    if order.asks is not None:
        return Verdict(UNKNOWN, reason)
    if not sent or order.kind == "safe":
        return Verdict(NOTHING_HAPPENED, reason)
    if order.kind == "repeatable":
        return Verdict(UNANSWERED, reason)
    return Verdict(AMBIGUOUS, f"{reason}, and it was sent: nobody can tell whether it was done")


def of_impossible(asks: bool, why: str) -> Verdict:
    """What can't be sent is not sent. `asks`: it would have been a question."""
    return Verdict(UNKNOWN if asks else IMPOSSIBLE, why)


def matches(status: int, wanted: Sequence[str]) -> bool:
    """Whether a status is one of these: `404`, or `4xx` for all of its class."""
    return str(status) in wanted or f"{status // 100}xx" in wanted


def told_status(status: int) -> str:
    """A status with its name, where it has one."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def told(order: Order) -> str:
    """A request in a message: without what is asked in its query, which may be long, and nobody else's business."""
    return f"{order.method} {without_query(order.url)}"


def without_query(url: str) -> str:
    """A URL of which only is said that it has a query. A server may name a place that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    return urlunsplit(parts._replace(query="…" if parts.query else "", fragment=""))
