"""The ways by which a worker gets to a server: redirects, TLS, proxies."""

from __future__ import annotations

import ssl

import pytest

from daemons.process import reserve_port
from daemons.web import Authority, Web, web

from .conftest import KEY, POST, Send
from .saying import drop, ok, status

# -- redirects ----------------------------------------------------------------------------------------------------


def test_a_get_follows_and_a_post_does_not(send: Send, server: Web) -> None:
    server.on("/a", status(302, Location="/b?x=1"))
    server.on("/b", ok)
    assert send(f"{server.url}/a").body == b'{"id": 7}'
    assert [asked.path for asked in server.seen] == ["/a", "/b?x=1"]
    ended = send(f"{server.url}/a", **POST)
    assert ended.code == 3 and ended.reason.endswith("it leads to /b?…, and `redirects` permits 0")


@pytest.mark.parametrize("location", ["http://[nowhere", "//[x", "http://host:port/", "http://host/\x7f"])
def test_a_place_that_is_none_says_nothing_of_what_was_done(send: Send, server: Web, location: str) -> None:
    server.on("/made", status(201, Location=location))
    assert send(f"{server.url}/made", **POST).code == 0
    server.on("/", status(302, Location=location))
    for order in ({}, POST, {"redirects": 0}):
        assert send(f"{server.url}/", **order).code == 3
    ended = send(f"{server.url}/")
    assert ended.reason.startswith(f"302 Found from GET {server.url}/")
    server.on("/", status(307, Location=location))
    assert send(f"{server.url}/", **{**POST, "redirects": 5}).code == 3


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


# -- proxies ------------------------------------------------------------------------------------------------------


def test_a_proxy_that_is_named_is_used(send: Send, server: Web) -> None:
    server.on("http://far.example/x", ok)
    assert send("http://far.example/x", env={"HTTP_PROXY": server.url}).code == 0
    assert server.seen[0].path == "http://far.example/x"


def test_a_proxy_that_refuses_has_sent_nothing(send: Send, server: Web) -> None:
    ended = send("https://far.example/x", **POST, env={"HTTPS_PROXY": server.url})
    assert ended.code == 75
    assert server.seen[0].method == "CONNECT"
