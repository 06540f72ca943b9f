"""The body of an answer as evidence, also of one that is not good."""

from __future__ import annotations

import hashlib
from typing import Any

from daemons.web import web


def test_a_body_is_evidence(operator: Any) -> None:
    body = bytes(range(256)) * 50_000
    with web() as server:
        server.on("/status", lambda one: one.say(200, body))
        server.on("/gone", lambda one: one.say(404, b"not here"))
        (operator.place / "book.yaml").write_text(
            "durun: 1\n"
            "name: asks\n"
            "steps:\n"
            f'  - {{id: ok, collect: {{http: {{url: "{server.url}/status?key=k"}}, as: body}}}}\n'
            f'  - {{id: no, collect: {{http: {{url: "{server.url}/gone"}}, as: body}}}}\n'
        )
        operator("run", "book.yaml", code=1)
    tasks = operator.tasks()
    (ok,), (no,) = (tasks[step, None]["attempts"] for step in ("ok", "no"))
    item = ok["evidence"]["items"]["body"]
    assert (item["bytes"], item["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert item["source"] == f"GET {server.url}/status"
    assert (no["status"], no["evidence"]["items"]["body"]["bytes"]) == ("failed", len(b"not here"))
