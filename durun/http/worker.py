"""The process that sends one request, or asks one question.

    python -m durun.http.worker

What is asked is a JSON object on stdin (`durun.actions.http` makes it), so that no secret is in its argv. The answer's
body goes to stdout, a line about it to stderr; outputs that come from its status or headers go to `$DURUN_OUTPUT`, and
with them what is to be said of its end. The exit codes are those of `durun.http.verdict`.
"""

from __future__ import annotations

import os
import re
import sys
import time

import httpx

from durun.http.exchange import Answer, Exchange
from durun.http.order import NotARequest, Order, read_order
from durun.http.verdict import Verdict, of_impossible, told_status, without_query
from durun.model.retry import NOTHING_HAPPENED
from durun.working import asked, leave, tell

TIME = 60.0
"""Seconds for all of it, where the step has no timeout."""
_PRIVATE = re.compile(r"cookie|auth|token|secret|key|session|signature|password", re.IGNORECASE)
"""Headers whose values are not shown."""


def main() -> int:
    """Do what stdin says; returns the exit code."""
    until = time.monotonic() + float(os.environ.get("DURUN_TIMEOUT", TIME))
    given = asked()
    if given is None:
        return NOTHING_HAPPENED
    try:
        order = read_order(given)
    except NotARequest as error:
        return _tell(of_impossible(given.get("asks") is not None, str(error)), {})
    exchange = Exchange(order, os.environ.get("DURUN_IDEMPOTENCY_KEY", ""), until, _say, _write)
    verdict = exchange.run()
    response = exchange.response
    if response is None or (verdict.code and order.asks is None):
        return _tell(verdict, {})
    outputs = _outputs(order, response)
    return _tell(verdict, outputs if order.asks is None else {**outputs, "DURUN_STATUS": str(response.status_code)})


def _write(chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]


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


def _outputs(order: Order, response: httpx.Response) -> dict[str, str]:
    """The outputs that come from the status and the headers; one whose header is missing is missing."""
    given = {}
    for name, source in order.gives.items():
        value = str(response.status_code) if source == "status" else response.headers.get(source.removeprefix(":"))
        if value is not None:
            given[name] = value
    return given


def _tell(verdict: Verdict, outputs: dict[str, str]) -> int:
    """Tell durun what it must know; the exit code."""
    if verdict.code:
        sys.stderr.write(f"durun: {verdict.reason}\n")
    lines = [*(f"{name}={value}" for name, value in outputs.items()), f"DURUN_REASON={verdict.reason}"]
    return tell(verdict.code, "".join(f"{line}\n" for line in lines), bool(outputs))


if __name__ == "__main__":
    leave(main())
