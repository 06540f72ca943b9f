"""The process that sends one request, or asks one question.

    python -m durun.http.worker

What is asked is a JSON object on stdin (`durun.actions.http` makes it), so that no secret is in its argv. The answer's
body goes to stdout, a line about it to stderr; outputs that come from its status or headers go to `$DURUN_OUTPUT`, and
with them what is to be said of its end. The exit codes are those of `durun.http.verdict`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from durun.http.exchange import Answer, Exchange, Overdue
from durun.http.order import NotARequest, Order, read_order
from durun.http.verdict import Verdict, of_impossible, told_status, without_query
from durun.model.retry import NOTHING_HAPPENED

TIME = 60.0
"""Seconds for all of it, where the step has no timeout."""
_PRIVATE = re.compile(r"cookie|auth|token|secret|key|session|signature|password", re.IGNORECASE)
"""Headers whose values are not shown."""


def main() -> int:
    """Do what stdin says; returns the exit code."""
    until = time.monotonic() + float(os.environ.get("DURUN_TIMEOUT", TIME))
    # Stopped, it ends by the signal: how far it came, nobody can tell.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asked: dict[str, Any] = json.load(sys.stdin)
    except ValueError:
        return NOTHING_HAPPENED  # Who started it was killed.
    try:
        order = read_order(asked)
    except NotARequest as error:
        verdict = of_impossible(asked.get("asks") is not None, str(error))
        _tell(verdict, {})
        return verdict.code
    exchange = Exchange(order, os.environ.get("DURUN_IDEMPOTENCY_KEY", ""), until, _say, _write)
    _limit(until)
    try:
        verdict = exchange.run()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Overdue:
        verdict = exchange.overdue()
    _tell(verdict, _given(order, exchange.response) if exchange.response is not None and not verdict.code else {})
    return verdict.code


def _limit(until: float) -> None:
    """Let whatever waits be interrupted when the time is over."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise Overdue

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, until - time.monotonic()))


def _write(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _say(answer: Answer) -> None:
    """One line about an answer: its status, how long it took, its headers."""
    response = answer.response
    shown = [f"{name}: {_shown(name, value)}" for name, value in response.headers.items()]
    took = time.monotonic() - answer.began
    sys.stderr.write(f"{told_status(response.status_code)} in {took:.2f} s; {'; '.join(shown)}\n")
    sys.stderr.flush()


def _shown(name: str, value: str) -> str:
    if _PRIVATE.search(name):
        return "***"
    return without_query(value) if name.lower() in ("location", "content-location") else value


def _given(order: Order, response: httpx.Response) -> dict[str, str]:
    """The outputs that come from the status and the headers; one whose header is missing is missing."""
    given = {}
    for name, source in order.gives.items():
        value = str(response.status_code) if source == "status" else response.headers.get(source.removeprefix(":"))
        if value is not None:
            given[name] = value
    return given


def _tell(verdict: Verdict, given: dict[str, str]) -> None:
    if verdict.code:
        sys.stderr.write(f"durun: {verdict.reason}\n")
    lines = [*(f"{name}={value}" for name, value in given.items()), f"DURUN_REASON={verdict.reason}"]
    path = os.environ.get("DURUN_OUTPUT")
    if path:
        with Path(path).open("ab", buffering=0) as file:
            file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main())
