"""The heads of runs: what is signed, when, and where it is told. openssl verifies, not durun."""

import getpass
import json
import os
import select
import socket
import subprocess

import pytest

from durun.journal.sqlite import open_journal
from durun.secrets.sign import from_pem, key_id


def entries(operator, run=None):
    with open_journal(operator.home / "journal.db", read_only=True) as journal:
        return journal.entries(run)


def signed(operator, entry):
    """Whether openssl says that the state directory's key has signed the entry."""
    place = operator.place
    (place / "key.pem").write_text(operator("secret", "key", "--signing", "--json").json["pem"])
    (place / "body").write_text(entry.body)
    (place / "signature").write_bytes(entry.signature or b"")
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in body -sigfile signature"
    return subprocess.run(command.split(), cwd=place, capture_output=True).returncode == 0


def test_the_end_of_a_run_is_signed_and_its_head_is_told_everywhere(operator):
    end = operator("run", "runbook.yaml", "--json").lines[-1]
    begun, *own = entries(operator)
    assert begun.kind == "register_begun"
    assert [entry.kind for entry in own] == ["run_created", "session_started", "run_ended"]
    assert {entry.run for entry in own} == {end["run"]}
    assert end["head"] == own[-1].digest == operator.show()["head"]
    assert f"head       {own[-1].digest}" in operator("show", "@last").out
    assert signed(operator, own[-1])
    assert own[-1].key == key_id(from_pem((operator.place / "key.pem").read_bytes()))


def test_plain_lines_end_with_the_head_and_quiet_ones_have_none(operator):
    said = operator("run", "runbook.yaml").out
    assert said.endswith(f"\n  head {entries(operator)[-1].digest}\n")
    assert operator("run", "runbook.yaml", "--quiet").out == ""


def test_the_head_is_sent_to_the_system_log(operator):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        path = operator.place / "log"
        log.bind(str(path))
        log.settimeout(10)
        end = operator("run", "runbook.yaml", "--json", env={"DURUN_SYSLOG": str(path)}).lines[-1]
        line = log.recv(4096).decode()
    assert line.startswith("<13>durun[")
    assert line.endswith(f"]: run {end['run']} of audited succeeded: head {end['head']}")


@pytest.mark.parametrize("there", [True, False], ids=["full", "absent"])
def test_a_system_log_that_does_not_answer_holds_nothing_up(operator, there):
    path = operator.place / "log"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as us,
    ):
        if there:
            log.bind(str(path))
            us.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    us.sendto(b"full", str(path))
        operator("run", "runbook.yaml", "--quiet", env={"DURUN_SYSLOG": str(path)})


def test_the_beginning_of_a_long_run_is_signed_while_it_runs(operator):
    fifo = operator.fifo("fifo")
    operator.start("run", "waits.yaml")
    writing = os.open(fifo, os.O_WRONLY)  # opened as soon as the step reads
    while not any(entry.signature for entry in entries(operator)):
        select.select([], [], [], 0.05)
    assert [entry.kind for entry in entries(operator)][-1] == "session_started"
    assert signed(operator, entries(operator)[-1])
    os.close(writing)


def test_a_word_of_an_operator_is_signed_though_nobody_drives_the_run(operator):
    operator("run", "doubt.yaml", "-q", code=3)
    operator("settle", "@last", "unsure", "--done", "--reason", "the ticket says so")
    settled = entries(operator)[-1]
    assert settled.kind == "task_settled"
    assert signed(operator, settled)


def test_without_a_key_a_run_says_so_and_goes_on_and_the_next_one_signs_for_it(operator):
    operator("run", "runbook.yaml", "-q")
    key = operator.home / "sign.key"
    kept = key.read_text()
    key.unlink()
    said = operator("run", "runbook.yaml", "-q")
    assert said.out == (
        f"what is recorded is not signed: durun's signing key is gone from {key}; put the key back; else move "
        f"{operator.home}/sign.json away, and a new key is made: tell those who verify its id\n"
    )
    assert entries(operator)[-1].signature is None
    checks = {check["name"]: check for check in operator("doctor", "--json", code=None).json["checks"]}
    assert checks["signing_key"]["status"] == "fail"
    key.write_text(kept)
    key.chmod(0o600)
    operator("run", "runbook.yaml", "-q")
    assert signed(operator, entries(operator)[-1])


def test_a_request_made_twice_tells_the_same_head(operator):
    first = operator("run", "runbook.yaml", "--json", "--request-id", "r").lines[-1]
    again = operator("run", "runbook.yaml", "--json", "--request-id", "r").lines[-1]
    assert first["head"] == again["head"]
    assert json.dumps(first["head"]) != "null"


def test_an_approval_is_signed_when_it_is_asked_and_when_it_is_given(operator):
    operator("run", "approved.yaml", "-q", "-i", f"who={getpass.getuser()}", code=5)
    asked = entries(operator)[-1]
    assert asked.kind == "run_parked"
    assert signed(operator, asked)
    operator("approve", "@last", "--no-resume")
    decided = entries(operator)[-1]
    assert decided.kind == "task_decided"
    assert signed(operator, decided)
    end = operator("resume", "@last", "--json").lines[-1]
    assert operator("verify", "--json", "--head", decided.digest, "--head", end["head"]).json["unsigned"] == 0
