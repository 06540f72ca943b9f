from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from durun.engine.local.signals import Signals

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in ALL]
    yield
    assert [signal.getsignal(number) for number in ALL] == before


def send(*numbers: int) -> Signals:
    """What is wished after these signals."""
    with Signals() as signals:
        for number in numbers:
            os.kill(os.getpid(), number)
            assert select.select([signals], [], [], 5)[0]
            signals.clear()
            assert not select.select([signals], [], [], 0)[0]
    return signals


def test_without_a_signal_the_run_goes_on() -> None:
    signals = send()
    assert (signals.wish, signals.reason) == ("go_on", "")


@pytest.mark.parametrize(
    ("numbers", "wish", "exit_code", "reason"),
    [
        ([signal.SIGINT], "drain", 130, "stopped by SIGINT"),
        ([signal.SIGINT, signal.SIGINT], "leave", 130, "stopped by SIGINT"),
        ([signal.SIGTERM], "leave", 143, "stopped by SIGTERM"),
        ([signal.SIGHUP], "leave", 143, "stopped by SIGHUP"),
        ([signal.SIGINT, signal.SIGTERM], "leave", 143, "stopped by SIGTERM"),
    ],
)
def test_what_a_signal_means(numbers: list[int], wish: str, exit_code: int, reason: str) -> None:
    signals = send(*numbers)
    assert (signals.wish, signals.exit_code, signals.reason) == (wish, exit_code, reason)


@pytest.mark.parametrize(("numbers", "wish"), [([signal.SIGTERM], "drain"), ([signal.SIGTERM] * 2, "leave")])
def test_pid_1_waits_for_what_runs(monkeypatch: pytest.MonkeyPatch, numbers: list[int], wish: str) -> None:
    myself, kill = os.getpid(), os.kill
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "kill", lambda _pid, number: kill(myself, number))
    assert send(*numbers).wish == wish


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGINT)
            assert select.select([signals], [], [], 5)[0]
        assert (signals.wish, signals.reason) == ("drain", "stopped by SIGINT")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_all_are_ignored_nothing_of_it_stays() -> None:
    """A later signal of another kind must not be written to a descriptor that is closed, or somebody else's by then."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ALL}
    try:
        with Signals():
            pass
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_another_thread_catches_none() -> None:
    wishes = []

    def elsewhere() -> None:
        with Signals() as signals:
            assert signal.getsignal(signal.SIGTERM) == before
            wishes.append(signals.wish)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert wishes == ["go_on"]
