"""What a worker sends, and what it makes of what comes back: the server counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from daemons.process import reserve_port
from daemons.web import Web

from .conftest import KEY, POST, Send
from .saying import ANY, drop, ok, status

# -- what is sent -------------------------------------------------------------------------------------------------


def test_a_get_is_a_get(send: Send, server: Web) -> None:
    server.on("/a", ok)
    ended = send(
        f"{server.url}/a?x=1", query={"b": [1, "ü &"], "c": None, "d": True}, headers={"X-A": "ä", "X-B": None}
    )
    assert (ended.code, ended.body) == (0, b'{"id": 7}')
    (asked,) = server.seen
    assert (asked.method, asked.path, asked.body) == ("GET", "/a?x=1&b=1&b=%C3%BC+%26&d=true", b"")
    assert asked.headers["user-agent"] == "durun" and "x-b" not in asked.headers
    assert asked.headers["x-a"].encode("latin-1").decode() == "ä"
    assert asked.key is None


@pytest.mark.parametrize(
    ("order", "body", "kind"),
    [
        ({"json": {"a": [1, None, "ä"]}}, '{"a": [1, null, "ä"]}'.encode(), "application/json"),
        ({"json": None}, b"null", "application/json"),
        ({"form": {"a": [1, 2], "b": "x y&z", "c": None}}, b"a=1&a=2&b=x+y%26z", "application/x-www-form-urlencoded"),
        ({"body": "täxt"}, "täxt".encode(), "text/plain; charset=utf-8"),
        ({"body": {"file": "blob"}}, bytes(range(256)) * 1000, "application/octet-stream"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, b"<a/>", "text/xml"),
    ],
)
def test_a_body_arrives_as_it_is(
    send: Send, server: Web, tmp_path: Path, order: dict[str, object], body: bytes, kind: str
) -> None:
    (tmp_path / "blob").write_bytes(bytes(range(256)) * 1000)
    server.on("/", ok)
    assert send(f"{server.url}/", **POST, **order).code == 0
    (asked,) = server.seen
    assert (asked.body, asked.headers["content-type"], asked.key) == (body, kind, KEY)
    assert "transfer-encoding" not in asked.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_what_changes_something_carries_the_key(send: Send, server: Web, method: str) -> None:
    server.on("/", ok)
    send(f"{server.url}/", **{**POST, "method": method})
    assert server.keys() == {KEY: 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_carries_none(send: Send, server: Web, method: str) -> None:
    server.on("/", ok)
    ended = send(f"{server.url}/", method=method)
    assert ended.code == 0 and not server.keys()
    assert ended.body == (b"" if method == "HEAD" else b'{"id": 7}')


def test_a_key_of_ones_own_is_kept(send: Send, server: Web) -> None:
    server.on("/", ok)
    send(f"{server.url}/", **POST, headers={"idempotency-key": "mine"})
    assert server.keys() == {"mine": 1}


@pytest.mark.parametrize(
    ("auth", "header"),
    [({"bearer": "tok"}, "Bearer tok"), ({"basic": {"username": "u", "password": "p:ä"}}, "Basic dTpwOsOk")],
)
def test_who_asks_is_told(send: Send, server: Web, auth: dict[str, object], header: str) -> None:
    server.on("/", ok)
    ended = send(f"{server.url}/", auth=auth)
    assert server.seen[0].headers["authorization"] == header
    assert "tok" not in ended.said


@pytest.mark.parametrize(
    ("url", "order", "why"),
    [
        ("ftp://x", {}, "must begin with https:// or http://"),
        ("http://", {}, "must begin with https:// or http://"),
        ("http://u:secret@x/", {}, "can't stand in the URL"),
        ("http://x/a b", {}, "urlencode"),
        ("http://x/a\nb", {}, "urlencode"),
        ("http://x:99999/", {}, "the URL can't be used"),
        (ANY, {"headers": {"A": "b\r\nHost: evil"}}, "the value of the header A"),
        (ANY, {"headers": {"A B": "b"}}, "can't be the name of a header"),
        (ANY, {"auth": {"bearer": "a\r\nb"}}, "the bearer token"),
        (ANY, {"body": {"file": "nowhere"}}, "body file nowhere: No such file"),
        ("https://127.0.0.1:1", {"tls": {"ca": "nowhere"}}, "tls.ca can't be used: there is no"),
        ("https://127.0.0.1:1", {"tls": {"ca": "-----BEGIN x"}}, "tls.ca can't be used"),
        ("https://127.0.0.1:1", {"tls": {"cert": "nowhere"}}, "tls.cert and tls.key can't be used: there is no"),
    ],
)
def test_what_can_not_be_sent_is_not(send: Send, url: str, order: dict[str, object], why: str) -> None:
    ended = send(url, **POST, **order)
    assert ended.code == 1 and why in ended.reason
    assert "secret" not in ended.reason and "evil" not in ended.reason


def test_half_of_an_order_is_none(send: Send) -> None:
    assert send("", stdin=b'{"method": "POST", "url": "http://127').code == 75


# -- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "ends"), [(201, 0), (204, 0), (304, 3), (400, 4), (404, 4), (500, 5), (503, 5)])
def test_the_exit_code_is_the_first_digit_of_a_status_that_is_not_good(
    send: Send, server: Web, code: int, ends: int
) -> None:
    server.on("/", status(code))
    ended = send(f"{server.url}/?password=x", **POST)
    assert ended.code == ends
    assert ended.reason.startswith(f"{code} ") and ended.reason.endswith(f"from POST {server.url}/?…")
    assert server.count() == 1


@pytest.mark.parametrize(
    ("order", "ends"),
    [
        (POST, 76),
        ({**POST, "kind": "repeatable"}, 5),
        ({}, 5),
        ({**POST, "expect": ["504"]}, 0),
        ({**POST, "ambiguous": []}, 5),
    ],
)
def test_the_word_of_a_gateway_leaves_it_open(send: Send, server: Web, order: dict[str, object], ends: int) -> None:
    server.on("/", status(504))
    assert send(f"{server.url}/", **order).code == ends


def test_outputs_come_from_status_and_headers(send: Send, server: Web) -> None:
    server.on("/", status(201, Location="/x?y=1", X_Odd="a=b"))
    ended = send(f"{server.url}/", **POST, gives={"s": "status", "l": ":location", "o": ":X-ODD", "m": ":missing"})
    assert {name: value for name, value in ended.given.items() if name != "DURUN_REASON"} == {
        "s": "201", "l": "/x?y=1", "o": "a=b",
    }  # fmt: skip


def test_cookies_and_tokens_are_not_shown(send: Send, server: Web) -> None:
    hidden = {"Set_Cookie": "s1=HID", "X_Auth_Token": "HID", "WWW_Authenticate": "HID", "Location": "/a?t=HID"}
    server.on("/", status(200, X_Open="yes", **hidden))
    said = send(f"{server.url}/").said
    assert "200 OK in " in said and "x-open: yes" in said and "HID" not in said


def test_a_packed_body_is_unpacked_and_a_binary_one_kept(send: Send, server: Web) -> None:
    server.on("/packed", lambda one: one.say(200, gzip.compress(b"x" * 9), Content_Encoding="gzip"))
    server.on("/binary", lambda one: one.say(200, bytes(range(256))))
    server.on("/broken", lambda one: one.say(200, b"no gzip", Content_Encoding="gzip"))
    assert send(f"{server.url}/packed").body == b"x" * 9
    assert send(f"{server.url}/binary").body == bytes(range(256))
    assert send(f"{server.url}/broken", **POST).code == 76


# -- questions ----------------------------------------------------------------------------------------------------


ASKS = {"asks": {"done": ["200", "3xx"], "not_done": ["404"]}}


@pytest.mark.parametrize(("code", "ends"), [(200, 0), (301, 0), (404, 1), (201, 2), (500, 2)])
def test_a_status_answers(send: Send, server: Web, code: int, ends: int) -> None:
    server.on("/", status(code))
    ended = send(f"{server.url}/", **ASKS)
    assert ended.code == ends
    assert ("neither in done_on" in ended.reason) == (ends == 2)


def test_whoever_does_not_answer_says_nothing(send: Send, server: Web) -> None:
    server.on("/drop", drop)
    server.on("/cut", lambda exchange: (exchange.say(200, b"x", size=9), exchange.drop()))
    assert send(f"{server.url}/drop", **ASKS).code == 2
    assert send(f"{server.url}/cut", **ASKS).code == 2
    assert send(f"http://127.0.0.1:{reserve_port()}/", **ASKS).code == 2
    assert send("gopher://x", **ASKS).code == 2


def test_a_question_has_no_key(send: Send, server: Web) -> None:
    server.on("/", status(200))
    assert send(f"{server.url}/", **POST, **ASKS).code == 0
    assert server.count() == 1 and not server.keys()
