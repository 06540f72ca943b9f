"""What a worker makes of it that no whole answer comes, and how long it waits for one: the server counts."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from daemons.process import reserve_port
from daemons.web import Exchange, Web

from .conftest import KEY, POST, Send
from .saying import drop, status

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
    assert ended.code == 75 and ended.reason.startswith("can't connect (Connection refused)")
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
