"""What a worker sends, and what it makes of what comes back: the server counts."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from daemons.process import reserve_port
from daemons.web import Authority, Exchange, Web, web

from .conftest import KEY, POST, Send

ANY = "http://127.0.0.1:1"


def ok(exchange: Exchange) -> None:
    exchange.say(200, {"id": 7}, Content_Type="application/json")


def drop(exchange: Exchange) -> None:
    exchange.drop()


def status(code: int, **headers: str) -> object:
    return lambda exchange: exchange.say(code, **headers)


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


# -- no answer ----------------------------------------------------------------------------------------------------


def cut(exchange: Exchange) -> None:
    exchange.say(201, b"half", size=100)
    exchange.drop()


def nonsense(exchange: Exchange) -> None:
    exchange.wfile.write(b"HELLO\r\n\r\n")
    exchange.drop()


SENT = [({**POST}, 76), ({**POST, "kind": "repeatable"}, 74), ({}, 75)]


@pytest.mark.parametrize("broken", [drop, cut, nonsense])
@pytest.mark.parametrize(("order", "ends"), SENT, ids=["once", "repeatable", "safe"])
def test_no_whole_answer(send: Send, server: Web, broken: object, order: dict[str, object], ends: int) -> None:
    server.on("/", broken)
    ended = send(f"{server.url}/", **order)
    assert ended.code == ends, ended
    assert ("nobody can tell" in ended.reason) == (ends == 76)
    assert len(server.seen) == 1


def test_an_answer_that_breaks_off_and_says_no_is_no(send: Send, server: Web) -> None:
    def no(exchange: Exchange) -> None:
        exchange.say(500, b"half", size=100)
        exchange.drop()

    server.on("/", no)
    assert send(f"{server.url}/", **POST).code == 5


@pytest.mark.parametrize(("order", "ends"), SENT, ids=["once", "repeatable", "safe"])
def test_an_answer_that_is_late(send: Send, server: Web, order: dict[str, object], ends: int) -> None:
    over = threading.Event()
    server.on("/", lambda exchange: over.wait(30) and exchange.say(201))
    ended = send(f"{server.url}/", env={"DURUN_TIMEOUT": "1.5"}, **order)
    over.set()
    assert ended.code == ends
    assert ended.reason.startswith("no answer in time")
    assert len(server.seen) == 1


def test_a_body_that_never_ends(send: Send, server: Web) -> None:
    over = threading.Event()

    def drip(exchange: Exchange) -> None:
        exchange.say(200, b"some", size=100)
        exchange.wfile.flush()
        over.wait(30)

    server.on("/", drip)
    ended = send(f"{server.url}/", env={"DURUN_TIMEOUT": "1.5"}, **POST)
    over.set()
    assert (ended.code, ended.body) == (76, b"some")


def test_nobody_there_is_nothing_happened(send: Send) -> None:
    ended = send(f"http://127.0.0.1:{reserve_port()}/", **POST)
    assert ended.code == 75 and ended.reason.startswith("can't connect")
    assert send("http://nowhere.invalid/", **POST).code == 75


HANGS = """
import socket, time
real = socket.getaddrinfo
def getaddrinfo(host, *more, **others):
    until = time.monotonic() + 40
    while host == "slow.example" and time.monotonic() < until:
        try:
            time.sleep(1)
        except BaseException:
            pass
    return real(host, *more, **others)
socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.parametrize("redirected", [False, True])
def test_a_name_that_is_looked_up_for_ever_is_not_reached(send: Send, server: Web, redirected: bool) -> None:
    """Nothing can interrupt that; and nothing was sent, or what was sent did nothing."""
    server.on("/", status(307, Location="http://slow.example/"))
    url = f"{server.url}/" if redirected else "http://slow.example/"
    ended = send(url, **{**POST, "redirects": 1}, env={"DURUN_TIMEOUT": "2"}, first=HANGS)
    assert ended.code == 75 and ended.reason.startswith("not reached in time")


def test_what_can_not_be_told_is_a_doubt(send: Send, server: Web, tmp_path: Path) -> None:
    """The place of the outputs is a folder: nothing can be written there."""
    server.on("/", status(201))
    nowhere = {"DURUN_OUTPUT": str(tmp_path)}
    assert send(f"{server.url}/", **POST, gives={"s": "status"}, env=nowhere).code == 76
    assert send(f"{server.url}/", **POST, env=nowhere).code == 0


def test_a_server_that_comes_late_is_reached(send: Send, server: Web) -> None:
    port = reserve_port()
    started: list[Web] = []
    later = threading.Timer(0.6, lambda: started.append(Web(port=port)))
    later.start()
    try:
        ended = send(f"http://127.0.0.1:{port}/", **POST)
        assert ended.code == 4 and started[0].count() == 1
    finally:
        later.join()
        started[0].close()


# -- waiting when it is asked for ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("dated", [False, True])
def test_a_server_that_wants_time_gets_it(send: Send, server: Web, code: int, dated: bool) -> None:
    when = formatdate(time.time() + 1, usegmt=True) if dated else "1"
    server.on("/", status(code, Retry_After=when), status(201))
    ended = send(f"{server.url}/", **POST, json={})
    assert ended.code == 0
    assert f"{code} " in ended.said and "retry-after: " in ended.said and "201 Created" in ended.said
    assert server.keys() == {KEY: 2}
    assert [asked.body for asked in server.seen] == [b"{}", b"{}"]


def test_not_longer_than_there_is_time(send: Send, server: Web) -> None:
    server.on("/", status(429, Retry_After="3600"))
    ended = send(f"{server.url}/", **POST)
    assert ended.code == 4 and ended.reason.endswith("it wants to be asked again in 3600 s")
    assert server.count() == 1


def test_not_when_it_does_not_say_when(send: Send, server: Web) -> None:
    server.on("/", status(503))
    assert send(f"{server.url}/", **POST).code == 5
    assert server.count() == 1


def test_not_for_ever(send: Send, server: Web) -> None:
    server.on("/", status(503, Retry_After="0"))
    assert send(f"{server.url}/", **POST).code == 5
    assert server.count() == 11


# -- redirects ----------------------------------------------------------------------------------------------------


def test_a_get_follows_and_a_post_does_not(send: Send, server: Web) -> None:
    server.on("/a", status(302, Location="/b?x=1"))
    server.on("/b", ok)
    assert send(f"{server.url}/a").body == b'{"id": 7}'
    assert [asked.path for asked in server.seen] == ["/a", "/b?x=1"]
    ended = send(f"{server.url}/a", **POST)
    assert ended.code == 3 and ended.reason.endswith("it leads to /b?…, and `redirects` permits 0")


def test_a_loop_ends(send: Send, server: Web) -> None:
    server.on("/", status(307, Location="/"))
    assert send(f"{server.url}/").code == 3
    assert len(server.seen) == 6


def test_a_post_becomes_a_get_or_stays_what_it_is(send: Send, server: Web) -> None:
    server.on("/303", status(303, Location="/end"))
    server.on("/307", status(307, Location="/end"))
    server.on("/end", ok)
    again = {**POST, "redirects": 1, "json": {"a": 1}}
    assert send(f"{server.url}/303", **again).code == 0
    assert [(asked.method, asked.body, asked.key) for asked in server.seen[1:]] == [("GET", b"", None)]
    assert send(f"{server.url}/307", **again).code == 0
    assert [(asked.method, asked.body, asked.key) for asked in server.seen[3:]] == [("POST", b'{"a": 1}', KEY)]


@pytest.mark.parametrize(("code", "ends"), [(303, 76), (307, 76)])
def test_no_answer_after_a_redirect(send: Send, server: Web, code: int, ends: int) -> None:
    server.on("/", status(code, Location="/gone"))
    server.on("/gone", drop)
    assert send(f"{server.url}/", **{**POST, "redirects": 1}).code == ends


def test_nobody_behind_a_redirect(send: Send, server: Web) -> None:
    """After 307 nothing has happened; after 303 it has, so that nobody there is a doubt."""
    nowhere = f"http://127.0.0.1:{reserve_port()}/"
    server.on("/307", status(307, Location=nowhere))
    server.on("/303", status(303, Location=nowhere))
    assert send(f"{server.url}/307", **{**POST, "redirects": 1}).code == 75
    assert send(f"{server.url}/303", **{**POST, "redirects": 1}).code == 76


def test_another_server_gets_nothing_that_was_not_meant_for_it(send: Send, server: Web) -> None:
    with web() as other:
        other.on("/", ok)
        server.on("/", status(307, Location=f"{other.url}/"))
        given = {"headers": {"X-Api-Key": "k", "Accept": "text/x"}, "auth": {"bearer": "t"}}
        assert send(f"{server.url}/", **given).code == 0
        assert {"x-api-key", "authorization"} & other.seen[0].headers.keys() == set()
        assert other.seen[0].headers["accept"] == "text/x"
        ended = send(f"{server.url}/", **{**POST, "redirects": 1, "json": {"pin": 1}})
        assert ended.code == 3 and "with a body to another server" in ended.reason
        assert len(other.seen) == 1


# -- TLS ----------------------------------------------------------------------------------------------------------


def test_only_a_server_that_is_trusted_is_asked(send: Send, authority: Authority) -> None:
    with web(authority.server()) as server:
        server.on("/", ok)
        ended = send(f"{server.url}/", **POST)
        assert ended.code == 75 and "certificate verify failed" in ended.reason
        assert server.seen == []
        assert send(f"{server.url}/", **POST, tls={"ca": str(authority.ca)}).code == 0
        assert send(f"{server.url}/", tls={"ca": authority.ca.read_text()}).code == 0
        named = f"https://localhost.localdomain:{server.port}/"
        assert send(named, **POST, tls={"ca": str(authority.ca)}, env={"DURUN_TIMEOUT": "5"}).code == 75
        assert len(server.seen) == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_to_know_who_asks(send: Send, authority: Authority, version: ssl.TLSVersion) -> None:
    asking = authority.server(asks=True)
    asking.minimum_version = asking.maximum_version = version
    cert, key = authority.issue("client")
    with web(asking) as server:
        server.on("/", ok)
        ended = send(f"{server.url}/", **POST, tls={"ca": str(authority.ca)})
        assert ended.code == 75, ended
        assert server.seen == []
        known = {"ca": str(authority.ca), "cert": str(cert), "key": str(key)}
        assert send(f"{server.url}/", **POST, tls=known).code == 0
        assert send(f"{server.url}/", **POST, tls={**known, "key": key.read_text()}).code == 0
        both = cert.read_text() + key.read_text()
        assert send(f"{server.url}/", **POST, tls={"ca": str(authority.ca), "cert": both}).code == 0
        wrong = authority.issue("other")[1]
        assert send(f"{server.url}/", **POST, tls={**known, "key": str(wrong)}).code == 1
        assert server.count() == 3


def test_a_redirect_never_leaves_tls(send: Send, authority: Authority, server: Web) -> None:
    with web(authority.server()) as secured:
        secured.on("/", status(302, Location=f"{server.url}/"))
        ended = send(f"{secured.url}/", tls={"ca": str(authority.ca)})
        assert ended.code == 3 and "nothing is encrypted" in ended.reason
        assert server.seen == []


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


# -- proxies ------------------------------------------------------------------------------------------------------


def test_a_proxy_that_is_named_is_used(send: Send, server: Web) -> None:
    server.on("http://far.example/x", ok)
    assert send("http://far.example/x", env={"HTTP_PROXY": server.url}).code == 0
    assert server.seen[0].path == "http://far.example/x"


def test_a_proxy_that_refuses_has_sent_nothing(send: Send, server: Web) -> None:
    ended = send("https://far.example/x", **POST, env={"HTTPS_PROXY": server.url})
    assert ended.code == 75
    assert server.seen[0].method == "CONNECT"
