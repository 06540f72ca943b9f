"""Who is told of a run, and what they get: by a program, a real web server, a real mail server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from daemons.process import reserve_port
from daemons.web import Web, web


def told(operator: Any) -> list[dict[str, Any]]:
    """Who was told of the newest run, or could not be."""
    return [line for line in operator("show", "@last", "--events", "--json").lines if line["event"] == "notified"]


def book(operator: Any, notices: str, steps: str = "- {id: a, run: 'true'}", more: str = "") -> None:
    text = f"durun: 1\nname: tells\n{more}\nnotify:\n{notices}\nsteps:\n  {steps}\n"
    (operator.place / "book.yaml").write_text(text, encoding="utf-8")


def lines(operator: Any, name: str) -> list[str]:
    path = operator.place / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


TELL = """
  - events: [failed, waiting, in_doubt, succeeded]
    run: 'cat >>said; echo "$DURUN_EVENT $DURUN_RUN_ID $DURUN_RUN_STATUS $DURUN_IDEMPOTENCY_KEY" >>env'
"""


@pytest.mark.parametrize(
    ("steps", "code", "event"),
    [
        ("- {id: a, run: 'true'}", 0, "succeeded"),
        ("- {id: a, run: exit 3}", 1, "failed"),
        ("- {id: a, run: exit 76}", 3, "in_doubt"),
        ("- {id: a, approval: {message: now?, approvers: [root]}}", 5, "waiting"),
    ],
)
def test_a_program_is_told_how_the_run_stands(operator: Any, steps: str, code: int, event: str) -> None:
    book(operator, TELL, steps)
    operator("run", "book.yaml", code=code, whole=True)
    (said,) = told(operator)
    assert (said["ok"], said["reason"]) == (True, "")
    (line,) = lines(operator, "said")
    message, run = json.loads(line), operator.show()["id"]
    assert (message["event"], message["run"], message["runbook"]) == (event, run, "tells")
    assert [task["step"] for task in message["tasks"]] == ([] if code == 0 else ["a"])
    assert lines(operator, "env") == [f"{event} {run} {message['status']} {message['key']}"]


def test_only_what_was_asked_for_is_told_and_the_same_standing_once(operator: Any) -> None:
    steps = "- {id: a, approval: {message: now?, approvers: [root], allow_requester: true}}"
    book(operator, TELL.replace("[failed, waiting, in_doubt, succeeded]", "[waiting]"), steps)
    operator("run", "book.yaml", code=5, whole=True)
    run = operator.show()["id"]
    operator("resume", run, code=5, whole=True)
    operator("approve", run, "a", "--reason", "fine", code=None, whole=True)
    assert len(told(operator)) == 1
    assert len(lines(operator, "said")) == 1


def test_nobody_waits_for_a_notifier_that_hangs(operator: Any) -> None:
    fifo = operator.place / "fifo"
    os.mkfifo(fifo)
    book(operator, f"  - {{events: [succeeded], run: 'read -r _ <{fifo}'}}")
    process = operator.start("run", "book.yaml", whole=True)
    process.stdout.read()  # it would not end
    with fifo.open("w") as end:
        end.write("go\n")
    assert process.wait() == 0
    assert [said["ok"] for said in told(operator)] == [True]


def test_what_fails_or_hangs_is_recorded_and_changes_nothing(operator: Any) -> None:
    fifo = operator.place / "fifo"
    os.mkfifo(fifo)
    book(
        operator,
        f"""
  - {{events: [succeeded], run: 'echo "no such host" >&2; exit 3'}}
  - {{events: [succeeded], run: 'trap "" TERM; read -r _ <{fifo}'}}
  - {{events: [succeeded], run: [no-such-program]}}
""",
    )
    operator("run", "book.yaml", env={"DURUN_NOTIFY_TIMEOUT": "3"}, whole=True)
    reasons = [said["reason"] for said in told(operator)]
    assert reasons == [
        "exit code 3: no such host",
        "stopped after 3 s",
        "no-such-program: No such file or directory",
    ]
    shown = operator.show()
    assert (shown["status"], [notice["reason"] for notice in shown["notices"]]) == ("succeeded", reasons)
    assert "notice 1 could not be told: exit code 3: no such host" in operator("show", "@last").out


def test_what_apprise_does_not_know_is_recorded(operator: Any) -> None:
    book(operator, '  - {events: [succeeded], apprise: "nonsense"}')
    operator("run", "book.yaml", whole=True)
    assert [said["reason"] for said in told(operator)] == ["exit code 1: URL 1 is none that Apprise knows"]


def test_what_was_not_told_when_all_was_killed_is_told_by_the_next_one_under_the_same_key(operator: Any) -> None:
    book(
        operator,
        """
  - events: [succeeded]
    run: |
      echo "$DURUN_IDEMPOTENCY_KEY" >>keys
      test -e again || { touch again; kill -9 $PPID; }
""",
    )
    operator("run", "book.yaml", whole=True)
    assert told(operator) == []
    operator("resume", "--all", whole=True)
    assert [said["ok"] for said in told(operator)] == [True]
    assert len(set(lines(operator, "keys"))) == 1
    assert len(lines(operator, "keys")) == 2
    assert marks(operator) == []


def marks(operator: Any) -> list[Path]:
    """The files of the runs of which somebody is still to be told."""
    return list(operator.home.glob("notices/*"))


def its_time_has_come(operator: Any) -> None:
    (mark,) = marks(operator)
    os.utime(mark, (1, 1))


FAILS = """
  - events: [succeeded]
    run: 'echo "$DURUN_IDEMPOTENCY_KEY" >>keys; test -e up'
"""


@pytest.mark.parametrize("by", [("reap",), ("resume", "--all"), ("run", "other.yaml")])
def test_what_could_not_be_told_is_told_by_a_later_one_under_the_same_key(operator: Any, by: tuple[str, ...]) -> None:
    (operator.place / "other.yaml").write_text("durun: 1\nname: other\nsteps: [{id: a, run: 'true'}]\n")
    book(operator, FAILS)
    operator("run", "book.yaml", whole=True)
    run = operator.show()["id"]
    assert "notice 1 could not be told: exit code 1" in operator("show", run).out
    operator(*by, whole=True)
    assert len(lines(operator, "keys")) == 1  # not so soon
    its_time_has_come(operator)
    operator(*by, whole=True)
    assert "notice 1 could not be told (2 tries): exit code 1" in operator("show", run).out
    (operator.place / "up").touch()
    its_time_has_come(operator)
    operator(*by, whole=True)
    assert "could not be told" not in operator("show", run).out
    assert [notice["ok"] for notice in operator.show(run)["notices"]] == [False, False, True]
    assert len(set(lines(operator, "keys"))) == 1
    assert marks(operator) == []


def test_one_that_never_can_is_given_up(operator: Any) -> None:
    book(operator, FAILS)
    operator("run", "book.yaml", whole=True)
    while marks(operator):
        its_time_has_come(operator)
        operator("reap", whole=True)
    assert len(told(operator)) == 6
    assert "notice 1 could not be told (6 tries): exit code 1" in operator("show", "@last").out
    operator("reap", whole=True)
    assert len(lines(operator, "keys")) == 6


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


def test_a_web_server_gets_the_message_with_its_key_and_no_secret(operator: Any, server: Web) -> None:
    server.on("/hook", lambda one: one.say(204))
    book(
        operator,
        f"""
  - events: [failed]
    http: {{url: "{server.url}/hook", auth: {{bearer: "${{{{ secrets.token }}}}"}}}}
""",
        '- {id: a, run: \'echo "DURUN_REASON=it was $TOKEN" >>"$DURUN_OUTPUT"; exit 3\', '
        'env: {TOKEN: "${{ secrets.token }}"}}',
        "secrets: {token: {env: HOOK}}",
    )
    operator("run", "book.yaml", code=1, env={"HOOK": "swordfish-4711"}, whole=True)
    (said,) = told(operator)
    assert said["ok"], said
    (asked,) = server.seen
    message = json.loads(asked.body)
    assert (asked.method, asked.headers["authorization"]) == ("POST", "Bearer swordfish-4711")
    assert asked.key == message["key"]
    assert message["tasks"] == [{"step": "a", "target": None, "status": "failed", "reason": "it was ***"}]
    assert "swordfish" not in asked.body.decode()


def test_a_body_of_its_own_is_sent_as_it_is_written(operator: Any, server: Web) -> None:
    server.on("/hook", lambda one: one.say(500, b"no"))
    body = 'json: {text: "${{ run.id }} ${{ run.status }}"}'
    book(operator, f'  - {{events: [succeeded], http: {{url: "{server.url}/hook", {body}}}}}')
    operator("run", "book.yaml", whole=True)
    (said,) = told(operator)
    assert (said["ok"], said["reason"]) == (
        False,
        f"exit code 5: 500 Internal Server Error from POST {server.url}/hook",
    )
    assert json.loads(server.seen[0].body) == {"text": f"{operator.show()['id']} succeeded"}


class Mailbox:
    """What a mail server keeps."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.kept.append(envelope)
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    from aiosmtpd.controller import Controller

    port = reserve_port()
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_a_mail_server_gets_a_mail_by_apprise(operator: Any, mail: tuple[Mailbox, int]) -> None:
    box, port = mail
    url = f"mailto://127.0.0.1:{port}/?smtp=127.0.0.1&mode=insecure&from=durun@ops.example&to=oncall@ops.example"
    book(
        operator,
        '  - {events: [failed], apprise: ["${{ secrets.mail }}"]}',
        "- {id: a, run: 'exit 3'}",
        "secrets: {mail: {env: MAIL_URL}}",
    )
    operator("run", "book.yaml", code=1, env={"MAIL_URL": url}, whole=True)
    (said,) = told(operator)
    assert said["ok"], said
    (envelope,) = box.kept
    found = message_from_bytes(envelope.content)
    text = next(part for part in found.walk() if part.get_content_type() == "text/plain")
    body = text.get_payload(decode=True).decode()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("durun@ops.example", ["oncall@ops.example"])
    run = operator.show()["id"]
    assert found["Subject"] == f"durun: tells FAILED ({run})"
    assert "a: failed (exit code 3)" in body and f"durun show {run}" in body
