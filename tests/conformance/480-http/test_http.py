"""Requests as an operator sees them; the server counts."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.web import Exchange, Web, web
from stored import everything


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


def drop(exchange: Exchange) -> None:
    exchange.drop()


def test_a_change_is_opened_and_used(operator: Any, server: Web) -> None:
    server.on("/changes", lambda one: one.say(201, {"data": {"id": 7}}, Location="/changes/7?full=1"))
    server.on("/roles/a%20b%2Fc", lambda one: one.say(204))
    server.on("/changes/7", lambda one: one.say(200, b"open\n"))
    operator("run", "work.yaml", "-i", f"url={server.url}")
    change, role, look = server.seen
    key = operator.tasks()["open", None]["attempts"][0]["idempotency_key"]
    assert (change.method, change.key) == ("POST", key)
    assert json.loads(change.body) == {"title": "rotate a b/c", "key": key}
    assert (role.path, role.body) == ("/roles/a%20b%2Fc?ticket=7", (operator.place / "body.json").read_bytes())
    assert role.key not in (None, key)
    assert (look.method, look.path, look.key) == ("GET", "/changes/7?full=1", None)
    assert operator.show()["outputs"] == {"ticket": 7, "status": 201, "text": "open"}
    logged = operator("logs", "@last", "open").out
    assert '{"data": {"id": 7}}' in logged and "201 Created in " in logged and "full=1" not in logged


def test_a_status_that_is_not_good_fails_the_step_by_its_name(operator: Any, server: Web) -> None:
    server.on("/changes", lambda one: one.say(409, {"error": "there is one"}))
    said = operator("run", "work.yaml", "-i", f"url={server.url}", code=1)
    assert f"open FAILED: 409 Conflict from POST {server.url}/changes" in said.out
    (attempt,) = operator.tasks()["open", None]["attempts"]
    assert (attempt["exit_code"], attempt["reason"]) == (4, f"409 Conflict from POST {server.url}/changes")
    assert "there is one" in operator("logs", "@last", "open").out


@pytest.mark.fault(17)
@pytest.mark.parametrize(("answer", "code", "posts"), [(200, 0, 1), (404, 0, 2), (500, 3, 1), (None, 3, 1)])
def test_no_answer_is_a_doubt_that_a_request_can_end(
    operator: Any, server: Web, answer: int | None, code: int, posts: int
) -> None:
    server.on("/changes", drop, lambda one: one.say(201, {"id": 8}))

    def told(exchange: Exchange) -> None:
        exchange.drop() if answer is None else exchange.say(answer, {"id": 8})

    server.on("/changes/*", told)
    said = operator("run", "doubt.yaml", "-i", f"url={server.url}", code=code)
    assert "no answer" in said.out or "disconnected" in said.out
    assert server.count() == posts and set(server.keys().values()) == {posts}
    assert operator.read("effects") == ("" if code else "next 8\n")
    if answer == 500:
        assert "verify says unknown (500 Internal Server Error from GET" in said.out


def test_only_what_may_be_repeated_is(operator: Any, server: Web) -> None:
    server.on("/once", lambda one: one.say(200))
    server.on("/again", drop, lambda one: one.say(500), lambda one: one.say(200))
    server.on("/look", drop, drop, lambda one: one.say(200))
    operator("run", "once.yaml", "-i", f"url={server.url}")
    assert sorted(server.keys().values()) == [1, 3]
    assert server.count("GET") == 3


def test_one_that_may_not_is_left_to_an_operator(operator: Any, server: Web) -> None:
    server.on("/once", drop)
    said = operator("run", "once.yaml", "-i", f"url={server.url}", code=3)
    assert "nobody can tell whether it was done" in said.out
    operator("resume", "@last", code=3)
    assert server.count() == 1
    server.on("/again", lambda one: one.say(200))
    server.on("/look", lambda one: one.say(200))
    operator("settle", "@last", "change", "--done", "--reason", "it is there")
    operator("resume", "@last")
    assert [asked.path for asked in server.seen] == ["/once", "/again", "/look"]


def test_a_repeat_with_another_body_is_refused(operator: Any, server: Web) -> None:
    """The other side would see one key with two payloads."""
    server.on("/", drop)
    operator("run", "again.yaml", "-i", f"url={server.url}", code=1)
    (operator.place / "body.json").write_text("[]")
    assert "the request differs from that" in operator("resume", "@last", code=10).err
    assert server.count("PUT") == 1
    (operator.place / "body.json").write_text("{}\n")
    server.on("/", lambda one: one.say(200))
    operator("resume", "@last")
    assert list(server.keys().values()) == [2]


@pytest.mark.fault(34)
def test_a_huge_body_is_capped_and_counted(operator: Any, server: Web) -> None:
    size = 30 << 20
    server.on("/changes", lambda one: one.say(201, {"data": {"id": 7}}, Location="/big"))
    server.on("/roles/a%20b%2Fc", lambda one: one.say(200, os.urandom(1 << 16) * (size >> 16)))
    server.on("/big", lambda one: one.say(200, b"end"))
    operator("run", "work.yaml", "-i", f"url={server.url}")
    (attempt,) = operator.tasks()["put", None]["attempts"]
    assert attempt["log"]["stdout"]["bytes"] == size and attempt["log"]["stdout"]["cut"]
    assert len(everything(operator.home)) < 20 << 20


def test_paths_of_a_question_are_relative_to_the_runbook(operator: Any, server: Web) -> None:
    (operator.place / "sub").mkdir()
    server.on("/", lambda one: one.say(200))
    operator("run", "elsewhere.yaml", "-i", f"url={server.url}")
    assert server.seen[0].body == (operator.place / "body.json").read_bytes()
    assert operator.read("sub/effects") == ""
    assert operator.tasks()["there", None]["how"] == "found"


def told_of_processes(home: Path) -> list[bytes]:
    """What everybody, or their user, can read of the steps that work for this state directory: argv and environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes()
            if f"DURUN_OUTPUT={home}".encode() in environment:
                found += [(process / "cmdline").read_bytes(), environment]
    return found


@pytest.mark.fault(31)
def test_no_secret_of_a_request_is_kept(operator: Any, server: Web, tmp_path: Path) -> None:
    seen: list[bytes] = []
    token, password, session = "tok-3f9a1c77", "pass-5b2e9d10", "sess-77aa01ff"

    def echo(exchange: Exchange) -> None:
        seen.extend(told_of_processes(operator.home))
        exchange.say(200, {**exchange.asked.headers, "body": exchange.asked.body.decode()})

    server.on("/echo", echo)
    server.on("/session", lambda one: one.say(200, {"session": session}, X_Cookie=f"c-{session}"))
    server.on("/use", echo)
    server.on("/fail", lambda one: one.say(500, one.asked.headers["x-token"].encode(), X_Echo=token))
    env = {"TOKEN": token, "PASSWORD": password}
    said = operator("run", "secret.yaml", "-i", f"url={server.url}", env=env, code=1)
    first, log_in, use, _ = server.seen
    assert first.headers["x-api-key"] == f"key={token}" and json.loads(first.body) == {"token": token}
    assert first.headers["authorization"] == "Basic " + base64.b64encode(f"durun:{password}".encode()).decode()
    assert log_in.body == f"password={password}".encode()
    assert use.headers["authorization"] == f"Bearer {session}"
    shown = [said.out, said.err, operator("logs", "@last").out, operator("show", "@last", "--events", "--json").out]
    kept = everything(operator.home)
    for secret in (token, password, session):
        assert seen and not any(secret.encode() in text for text in seen)
        for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()):
            assert not any(form in text for text in shown), form
            assert form.encode() not in kept, form
    assert '"x-api-key": "key=***"' in shown[2]
