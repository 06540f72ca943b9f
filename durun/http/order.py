"""What a worker is told on stdin, checked once: nothing of it may be wrong when the first byte is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = 1 << 16


class NotARequest(Exception):
    """What is asked for can't be sent; the text says why, without any value that may be secret."""


class Content(NamedTuple):
    """What a request carries: a text's bytes, or the path of a file. `type` is its Content-Type."""

    type: str
    data: bytes = b""
    path: str | None = None

    def size(self) -> int:
        """Bytes. Raises NotARequest."""
        if self.path is None:
            return len(self.data)
        try:
            return Path(self.path).stat().st_size
        except OSError as error:
            raise NotARequest(f"body file {self.path}: {error.strerror}") from error

    def chunks(self) -> Iterator[bytes]:
        """The bytes, anew each time. Raises NotARequest."""
        if self.path is None:
            yield self.data
            return
        try:
            with Path(self.path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise NotARequest(f"body file {self.path}: {error.strerror}") from error


class Order(NamedTuple):
    """One request, and what its answer means.

    `expect` and `ambiguous` are statuses such as `404` or `2xx`. `asks`: it is a question, and these statuses mean
    `done` and `not_done`. `gives`: an output's name → `status`, or the name of a header, after `:`. `kind`: what is
    known when it was sent and there is no answer: nothing happened (`safe`), it may be sent again (`repeatable`), or
    nothing (`once`).
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: Content | None
    auth: Mapping[str, Any]
    tls: Mapping[str, str]
    redirects: int
    expect: tuple[str, ...]
    ambiguous: tuple[str, ...]
    asks: Mapping[str, tuple[str, ...]] | None
    gives: Mapping[str, str]
    kind: Literal["safe", "repeatable", "once"]


def read_order(asked: Mapping[str, Any]) -> Order:
    """The order in a message of `durun.actions.http`. Raises NotARequest."""
    return Order(
        method=asked["method"],
        url=_url(asked["url"], asked.get("query") or {}),
        headers=_headers(asked.get("headers") or {}),
        content=_content(asked),
        auth=_auth(asked.get("auth") or {}),
        tls={name: _text(value) for name, value in (asked.get("tls") or {}).items()},
        redirects=asked["redirects"],
        expect=tuple(asked["expect"]),
        ambiguous=tuple(asked["ambiguous"]),
        asks=asked.get("asks"),
        gives=asked.get("gives") or {},
        kind=asked["kind"],
    )


def check_url(url: str) -> None:
    """Raise NotARequest for what is no address of a server."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise NotARequest(f"the URL can't be used: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise NotARequest("the URL must begin with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise NotARequest(
            "a name or password can't stand in the URL: write `auth: {basic: {username: …, password: …}}`"
        )
    if not url.isprintable() or " " in url:
        raise NotARequest("the URL holds a space or a control character: write `${{ … | urlencode }}`")


def _url(url: Any, query: Mapping[str, Any]) -> str:
    text = _text(url)
    check_url(text)
    pairs = [
        (name, _text(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    parts = urlsplit(text)
    joined = "&".join(filter(None, [parts.query, urlencode(pairs)]))
    return urlunsplit(parts._replace(query=joined, fragment=""))


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        text = _text(value)
        if not _TOKEN.fullmatch(name):
            raise NotARequest(f"{name!r} can't be the name of a header")
        if text != text.strip() or any(ord(char) < 32 and char != "\t" for char in text) or "\x7f" in text:
            raise NotARequest(f"the value of the header {name} holds a line break, or spaces around it")
        headers[name] = text
    return headers


def _content(asked: Mapping[str, Any]) -> Content | None:
    if "json" in asked:
        return Content("application/json", json.dumps(asked["json"], ensure_ascii=False).encode("utf-8", "replace"))
    if "form" in asked:
        pairs = {name: [_text(one) for one in _many(value)] for name, value in asked["form"].items()}
        return Content("application/x-www-form-urlencoded", urlencode(pairs, doseq=True).encode())
    if "body" not in asked:
        return None
    body = asked["body"]
    if isinstance(body, dict) and body.keys() == {"file"}:
        return Content("application/octet-stream", path=_text(body["file"]))
    return Content("text/plain; charset=utf-8", _text(body).encode("utf-8", "replace"))


def _many(value: Any) -> list[Any]:
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None]


def _auth(given: Mapping[str, Any]) -> dict[str, Any]:
    if "bearer" not in given:
        return dict(given)
    token = _text(given["bearer"])
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NotARequest("the bearer token is empty, or holds what can't stand in a header")
    return {"bearer": token}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
