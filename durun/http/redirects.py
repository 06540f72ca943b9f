"""Where a redirect leads to, and with what: what was meant for one server is not handed to another."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from durun.http.order import NotARequest, Order, check_url
from durun.http.verdict import without_query
from durun.model.runbook import SAFE_METHODS

STATUSES: Final = (301, 302, 303, 307, 308)
NOT_DONE: Final = (307, 308)
"""The server did nothing: the same request is to be sent to another place."""
_FOR_ANYBODY: Final = frozenset({"accept", "accept-language", "user-agent"})


def follow(order: Order, status: int, location: str) -> Order:
    """The request that follows. Raises NotARequest for one that must not be sent."""
    try:
        url = urlunsplit(urlsplit(urljoin(order.url, location))._replace(fragment=""))
    except ValueError as error:
        raise NotARequest(f"the place that it leads to can't be used: {error}") from error
    here, there = urlsplit(order.url), urlsplit(url)
    check_url(url)
    if here.scheme == "https" and there.scheme != "https":
        raise NotARequest(f"a redirect from https to {without_query(url)}, where nothing is encrypted, is not followed")
    following = order._replace(url=url, redirects=order.redirects - 1)
    if status not in NOT_DONE and _becomes_get(order.method, status):
        following = following._replace(method="GET", content=None)
    if _origin(here) == _origin(there):
        return following
    if following.content is not None:
        raise NotARequest(
            f"a redirect of a request with a body to another server, {without_query(url)}, is not followed"
        )
    kept = {name: value for name, value in order.headers.items() if name.lower() in _FOR_ANYBODY}
    return following._replace(headers=kept, auth={})


def _becomes_get(method: str, status: int) -> bool:
    return method not in SAFE_METHODS if status == 303 else method == "POST"


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or (443 if url.scheme == "https" else 80)
