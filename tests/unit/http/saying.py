"""What a server says to a worker."""

from __future__ import annotations

from daemons.web import Exchange

ANY = "http://127.0.0.1:1"


def ok(exchange: Exchange) -> None:
    exchange.say(200, {"id": 7}, Content_Type="application/json")


def drop(exchange: Exchange) -> None:
    exchange.drop()


def status(code: int, **headers: str) -> object:
    return lambda exchange: exchange.say(code, **headers)
