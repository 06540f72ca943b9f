"""Sends a request until there is an answer that counts, in the time that there is.

It is sent again only where that has no effect: when nothing of it was sent, or when the server says that it did
nothing and when it is to be asked again (429 or 503 with Retry-After). All that in one attempt, with one key.
"""

from __future__ import annotations

import base64
import email.utils
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import httpx

from durun.http import packed, redirects, tls
from durun.http.order import NotARequest, Order
from durun.http.verdict import Verdict, matches, of_impossible, of_silence, of_status, without_query
from durun.model.runbook import SAFE_METHODS

_PAUSES: Final = (0.25, 0.5, 1.0)
"""Seconds between tries to reach a server."""
_MOST_WAITS: Final = 10
"""How often a server is asked again that says when."""
_ALERTS: Final = ("CERTIFICATE_REQUIRED", "UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED")
"""By these a server refuses our certificate: with TLS 1.3 only after the request, of which it has read nothing."""


class Overdue(Exception):
    """The time is over, and what was not sent must not be sent any more."""


class Answer(NamedTuple):
    """What a server has answered, and when it was asked (monotonic)."""

    response: httpx.Response
    began: float


class Exchange:
    """One order. `key` goes with what has an effect; it is over at `until` (monotonic).

    `seen` gets each answer before its body is read, `write` the body of the one that counts.
    """

    def __init__(
        self, order: Order, key: str, until: float, seen: Callable[[Answer], Any], write: Callable[[bytes], Any]
    ) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._verdict: Verdict | None = None
        self._order = order
        self._key = key
        self._until = until
        self._seen = seen
        self._write = write
        self._sent = False
        self._acted = False
        self._waits = 0
        self._nowhere = False
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._answer: Answer | None = None

    @property
    def response(self) -> httpx.Response | None:
        """The answer that counts, if there is one."""
        return None if self._answer is None else self._answer.response

    def run(self) -> Verdict:
        """Send it, and read the answer.

        In a thread of its own: looking up a name can't be interrupted, and whether something was sent must be known
        when the time is over, also to the one who then ends the process.
        """
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()
        thread.join(max(0.0, self._until - time.monotonic()))
        with self._lock:
            if self._verdict is None:
                self._over = True
                self._verdict = self._silence("no answer in time" if self._sent else "not reached in time")
            return self._verdict

    def _work(self) -> None:
        verdict = self._all()
        with self._lock:
            self._verdict = self._verdict or verdict

    def _all(self) -> Verdict:
        following: Order | Verdict = self._order
        try:
            while not isinstance(following, Verdict):
                following = self._once(following)
        except NotARequest as error:
            if self._sent or self._acted:
                return self._silence(str(error))
            return of_impossible(self._order.asks is not None, str(error))
        except Exception as error:  # whatever it is: what was sent was sent
            unread = self._answer is None and any(alert in str(one) for one in _chain(error) for alert in _ALERTS)
            self._sent = self._sent and not unread
            return self._silence(_why(error))
        return following

    def _silence(self, why: str) -> Verdict:
        """There is no whole answer. A status says enough all the same, unless it says that all is well."""
        if self._answer is not None:
            status = self._answer.response.status_code
            verdict = of_status(self._order, status, f" ({why})")
            if verdict.code and self._order.asks is None:
                return verdict
            why = f"the answer, {status}, breaks off ({why})"
        return of_silence(self._order, why, sent=self._sent or self._acted)

    def _once(self, order: Order) -> Order | Verdict:
        """Send it once: the verdict, or what is to be sent next (the same, when the server wants time)."""
        with self._client(order) as client:
            began = time.monotonic()
            response = self._send(client, order)
            answer = Answer(response, began)
            try:
                self._seen(answer)
                return self._next(order, response) or self._read(answer)
            finally:
                response.close()

    def _read(self, answer: Answer) -> Verdict:
        self._answer = answer
        response = answer.response
        for chunk in packed.unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
            self._write(chunk)
        return of_status(self._order, answer.response.status_code, self._more(answer.response))

    # -- what comes next ----------------------------------------------------------------------------------------

    def _next(self, order: Order, response: httpx.Response) -> Order | Verdict | None:
        """What is to be done after an answer that is none yet; None: it is one."""
        status, location = response.status_code, response.headers.get("location")
        if self._is_wanted(status):
            return None
        if status in redirects.STATUSES and location and order.redirects > 0:
            self._acted = self._acted or (order.method not in SAFE_METHODS and status not in redirects.NOT_DONE)
            self._sent = False
            try:
                return redirects.follow(order, status, location)
            except NotARequest as error:
                return of_status(self._order, status, f": {error}")
        pause = _retry_after(response)
        if pause is None or self._waits >= _MOST_WAITS or time.monotonic() + pause >= self._until:
            return None
        self._waits += 1
        self._sent = False
        time.sleep(pause)
        return order

    def _is_wanted(self, status: int) -> bool:
        asks = self._order.asks
        return matches(status, self._order.expect if asks is None else [*asks["done"], *asks["not_done"]])

    def _more(self, response: httpx.Response) -> str:
        """What explains a status that has led no further."""
        status = response.status_code
        if self._is_wanted(status):
            return ""
        if self._nowhere:
            return ": it leads to no address"
        if status in redirects.STATUSES and "location" in response.headers:
            where = without_query(response.headers["location"])
            return f": it leads to {where}, and `redirects` permits {self._order.redirects}"
        pause = _retry_after(response)
        return f": it wants to be asked again in {pause:.0f} s" if pause is not None else ""

    # -- sending ------------------------------------------------------------------------------------------------

    def _client(self, order: Order) -> httpx.Client:
        """For one request: a second one on a connection that the server closes just then would be a doubt."""
        known = httpx.URL(order.url).host == httpx.URL(self._order.url).host
        if known not in self._contexts:
            self._contexts[known] = tls.context(order.tls, known=known)
        return httpx.Client(
            verify=self._contexts[known],
            timeout=None,
            limits=httpx.Limits(max_keepalive_connections=0),
            event_hooks={"response": [self._forget_nowhere]},
        )

    def _forget_nowhere(self, response: httpx.Response) -> None:
        """httpx makes the next request at once, and would take a place that is none for an answer that never came."""
        self._nowhere = False
        if response.has_redirect_location:
            try:
                response.request.url.join(response.headers["location"])
            except (httpx.InvalidURL, ValueError):
                del response.headers["location"]
                self._nowhere = True

    def _send(self, client: httpx.Client, order: Order) -> httpx.Response:
        """Send it, if need be in several tries: what does not reach the server has no effect."""
        for pause in (*_PAUSES, None):
            try:
                return client.send(self._request(client, order), stream=True)
            except httpx.TransportError as error:
                settled = self._sent or any(isinstance(one, ssl.SSLError) for one in _chain(error))
                if settled or pause is None or time.monotonic() + pause >= self._until:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try has no pause")

    def _request(self, client: httpx.Client, order: Order) -> httpx.Request:
        headers = {"User-Agent": "durun", "Accept": "*/*", "Accept-Encoding": packed.ACCEPTED} | self._added(order)
        given = {name.lower() for name in order.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in given} | dict(order.headers)
        encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
        content: Iterator[bytes] | None = None
        if order.content is not None:
            # Always said: a body whose end is missing must not be taken for a whole one.
            encoded = [pair for pair in encoded if pair[0].lower() not in (b"content-length", b"transfer-encoding")]
            encoded.append((b"Content-Length", str(order.content.size()).encode()))
            content = order.content.chunks()
        return client.build_request(
            order.method, order.url, headers=encoded, content=content, extensions={"trace": self._trace}
        )

    def _added(self, order: Order) -> dict[str, str]:
        """The headers that durun brings, where the order has none of that name."""
        added = {}
        if order.content is not None:
            added["Content-Type"] = order.content.type
        if self._key and order.method not in SAFE_METHODS and order.asks is None:
            added["Idempotency-Key"] = self._key
        if "bearer" in order.auth:
            added["Authorization"] = f"Bearer {order.auth['bearer']}"
        elif "basic" in order.auth:
            pair = f"{order.auth['basic']['username']}:{order.auth['basic']['password']}".encode()
            added["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return added

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """The first byte for the server goes out now (a CONNECT is for its proxy)."""
        if event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            with self._lock:
                if self._over:
                    raise Overdue
                self._sent = True


def _retry_after(response: httpx.Response) -> float | None:
    """When a server that did nothing wants to be asked again, in seconds; None where it does not say."""
    text = response.headers.get("retry-after", "").strip()
    if response.status_code not in (429, 503) or not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _why(error: Exception) -> str:
    """In one line."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(error).split()))
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"can't connect ({text})" if text else "can't connect"
    return text or type(error).__name__
