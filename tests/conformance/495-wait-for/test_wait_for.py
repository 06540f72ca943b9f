"""Polls of a server, as an operator sees them; the server counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from daemons.web import Web, web

BOOK = """
durun: 1
name: waits
inputs: {url: {}}
steps:
  - id: ready
    wait_for:
      http: {url: "${{ inputs.url }}/health"}
      %s
      every: 50ms
      timeout: %s
    outputs: {status: {from: status, type: integer}%s}
"""


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


def run(
    operator: Any, server: Web, conditions: str = "", outputs: str = "", timeout: str = "10m", code: int = 0
) -> Any:
    (operator.place / "book.yaml").write_text(BOOK % (conditions, timeout, outputs), encoding="utf-8")
    return operator("run", "book.yaml", "-i", f"url={server.url}", code=code)


def test_it_is_asked_until_a_status_is_good(operator: Any, server: Web) -> None:
    server.on(
        "/health",
        lambda one: one.say(503, b"starting", Retry_After="3600"),
        lambda one: one.drop(),
        lambda one: one.say(204),
    )
    run(operator, server)
    assert [asked.method for asked in server.seen] == ["GET"] * 3
    assert operator.tasks()["ready", None]["outputs"] == {"status": 204}


def test_a_body_can_be_read_and_gives_outputs(operator: Any, server: Web) -> None:
    server.on(
        "/health",
        lambda one: one.say(200, {"state": "starting"}),
        lambda one: one.say(200, b"no JSON"),
        lambda one: one.say(200, {"state": "up", "n": 3}),
    )
    run(operator, server, "until: result.json.state == 'up'", ", n: {json: n, type: integer}")
    assert operator.tasks()["ready", None]["outputs"] == {"status": 200, "n": 3}
    assert len(server.seen) == 3


def test_that_something_is_gone_can_be_waited_for(operator: Any, server: Web) -> None:
    server.on("/health", lambda one: one.say(200, b"still here"), lambda one: one.say(404, b"gone"))
    run(operator, server, "until: result.status == 404")
    assert operator.tasks()["ready", None]["outputs"] == {"status": 404}


def test_what_was_said_last_is_why_it_has_failed(operator: Any, server: Web) -> None:
    server.on("/health", lambda one: one.say(503, b"no"))
    said = run(operator, server, timeout="200ms", code=1)
    assert f"ready FAILED: timed out: 503 Service Unavailable from GET {server.url}/health; asked" in said.out


def test_a_journal_does_not_grow_by_each_question(operator: Any, server: Web) -> None:
    server.on("/health", *[lambda one: one.say(503, b"no")] * 20, lambda one: one.say(200))
    (operator.place / "book.yaml").write_text((BOOK % ("", "10m", "")).replace("50ms", "1ms"), encoding="utf-8")
    said = operator("run", "book.yaml", "-i", f"url={server.url}", "--json")
    assert len(server.seen) == 21
    events = [line["event"] for line in said.lines if line.get("step") == "ready"]
    assert events == ["task_waiting", "probe_started", "probe_answered", "task_succeeded"]
    (folder,) = operator.home.glob("runs/*/attempts/*")
    assert folder.name == "1"
