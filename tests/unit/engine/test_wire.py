"""Frames over a socket that never blocks: whole, in order, and the end is seen."""

import socket

import pytest

from durun.engine.local.records import ExitRecord
from durun.engine.local.wire import (
    Channel,
    Ended,
    NotOpened,
    OpenOrder,
    RedactOrder,
    Refused,
    ShutdownOrder,
    StartOrder,
    StopOrder,
    decode,
    encode,
)

RECORD = ExitRecord("n", "timeout", None, 9, 1.0, 2.0, "", {}, True, (4, 5))
ORDER = StartOrder(1, "n", ["sh", "-c", "ü\udc80"], {"A": "b\n"}, "/", "text", 1.5, 10, True, 0.5)


@pytest.mark.parametrize(
    "message",
    [
        OpenOrder("/r", 1),
        RedactOrder(["a", "ü"]),
        ORDER,
        StopOrder(3),
        ShutdownOrder(),
        NotOpened("no"),
        Refused(1, "fenced", "x"),
        Ended(1, RECORD, "p"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_comes_back(message):
    frame = encode(message)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert decode(frame[4:]) == message


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    pair = Channel(ours), Channel(theirs)
    yield pair
    for end in pair:
        end.close()


def test_more_than_the_socket_takes_is_kept_and_sent_later(ends):
    one, other = ends
    big = ORDER._replace(stdin="x" * 3_000_000)
    one.send([big, StopOrder(2)])
    assert one.unsent
    received = []
    while len(received) < 2:
        received += other.receive()
        one.flush()
    assert received == [big, StopOrder(2)] and not one.unsent


def test_the_end_is_seen_before_what_was_sent_is_read(ends):
    one, other = ends
    one.send([StopOrder(1)])
    assert not other.hung_up()
    one.close()
    assert other.hung_up()
    assert other.receive() == [StopOrder(1)] and other.ended


def test_sending_to_a_side_that_is_gone_loses_no_reply_of_it(ends):
    one, other = ends
    other.send([StopOrder(1)])
    other.close()
    one.send([StopOrder(1)])
    assert not one.unsent
    assert one.receive() == [StopOrder(1)] and one.ended
