"""`durun verify`, as somebody who keeps heads, and somebody who changes files, see it."""

import json
import re
import sqlite3

import pytest

HEAD = re.compile(r"  head ([0-9a-f]{64})\n")


def test_an_untouched_journal_is_proved_with_every_head_that_was_printed(operator):
    assert operator("verify").out.startswith("nothing was changed: 0 runs, 0 events, 0 entries of the register\n")
    heads = [HEAD.search(operator("run", "runbook.yaml").out)[1] for _ in range(2)]
    (operator.place / "log").write_text("".join(f"Nov 27 run x: head {head}\n" for head in heads))
    said = operator("verify", "--head", "log", "--head", heads[0]).out
    assert said.startswith("nothing was changed: 2 runs, ")
    assert "\n  found: 3 heads kept elsewhere\n" in said
    assert HEAD.search(said)[1] == heads[1]
    assert operator("verify", "--quiet").out == ""


def test_the_proof_as_json(operator):
    end = operator("run", "runbook.yaml", "--json").lines[-1]
    key = operator("secret", "key", "--signing", "--json").json
    proof = operator("verify", "@last", "--json").json
    assert proof == {
        "schema": 1,
        "verified": "run",
        "runs": 1,
        "events": operator("show", "@last", "--events", "--json").lines[-1]["sequence"],
        "entries": 4,
        "unsigned": 0,
        "keys": [key["key"]],
        "heads": 0,
        "head": end["head"],
        "notes": [],
        "stamps": [],
    }
    (operator.place / "key.pem").write_text(key["pem"])
    assert operator("verify", "--json", "--key", "key.pem").json["verified"] == "journal"


@pytest.mark.fault(24)
def test_a_flipped_bit_is_named_and_the_file_left_as_it_is(operator):
    operator("run", "runbook.yaml", "-q", "-i", "word=marked")
    path = operator.home / "journal.db"
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    content = bytearray(path.read_bytes())
    at = content.index(b"marked")
    content[at] ^= 1
    path.write_bytes(content)
    for arguments in (("verify",), ("verify", "@last")):
        said = operator(*arguments, code=7)
        assert said.out == ""
        assert re.match(r"durun: event 1 of run \w+ is not what was written: its hash does not fit\n", said.err)
    error = json.loads(operator("verify", "--json", code=7).err)["error"]
    assert error["code"] == "journal_damaged"
    assert path.read_bytes() == content


@pytest.mark.fault(18)
def test_a_settle_is_in_the_chain_with_who_when_and_why(operator):
    operator("run", "doubt.yaml", "-q", code=3)
    operator("settle", "@last", "unsure", "--done", code=2)
    operator("settle", "@last", "unsure", "--done", "--reason", "the ticket says so")
    (settled,) = [e for e in operator("show", "@last", "--events", "--json").lines if e["event"] == "task_settled"]
    assert settled["reason"] == "the ticket says so"
    assert settled["by"]["uid"] is not None
    operator("verify")
    connection = sqlite3.connect(operator.home / "journal.db", isolation_level=None)
    (trigger,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_is_never_changed'").fetchone()
    connection.execute("DROP TRIGGER event_is_never_changed")
    connection.execute("UPDATE event SET body = replace(body, 'the ticket', 'my cousin') WHERE type = 'task_settled'")
    connection.execute(trigger)
    connection.close()
    assert f"event {settled['sequence']} of run" in operator("verify", code=7).err


@pytest.mark.parametrize(("step", "stream"), [("plain", "stdout"), ("secret", "stdout"), ("warned", "stderr")])
def test_a_log_that_was_changed_is_named(operator, step, stream):
    operator("run", "talks.yaml", "-q")
    assert operator("verify", "--json").json["notes"] == []
    (log,) = [log for log in operator.home.glob("runs/*/attempts/*/log") if f"{step} is done" in log.read_text()]
    content = log.read_text()
    assert ("***" in content) == (step == "secret")
    log.write_text(content.replace("done", "gone"))
    assert operator("verify", code=7).err.startswith(
        f"durun: {log} is not what attempt 1 of {step} wrote: its {stream} was changed\n"
    )


def test_a_log_that_is_gone_is_told(operator):
    operator("run", "talks.yaml", "-q")
    for log in operator.home.glob("runs/*/attempts/*/log"):
        log.unlink()
    (note,) = operator("verify", "--json").json["notes"]
    assert note.endswith(": logs of its attempts are gone: 3")


def test_a_head_of_another_journal_is_not_found(operator):
    operator("run", "runbook.yaml", "-q")
    assert operator("verify", "--head", "0" * 64, code=7).err.startswith(f"durun: the head {'0' * 64} is not in this")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--head", "nowhere"], "nowhere is no head, and no file: No such file or directory"),
        (["--head", "runbook.yaml"], "there is no head in runbook.yaml"),
        (["--key", "/dev/zero"], "/dev/zero is larger than 1 MiB"),
        (["--key", "runbook.yaml"], "runbook.yaml is not the public half of an Ed25519 key as PEM"),
        (["--key", "nowhere"], "nowhere can't be read: No such file or directory"),
    ],
)
def test_what_is_neither_head_nor_key_is_a_mistake(operator, arguments, words):
    assert operator("verify", *arguments, code=2).err.startswith(f"durun: {words}\n")
