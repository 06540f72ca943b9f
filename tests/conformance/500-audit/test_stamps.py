"""Heads that an authority stamps (RFC 3161): a real one, one that is of no use, and what `openssl ts` says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.time_authority import TimeAuthority, time_authority
from daemons.web import Web


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[TimeAuthority, Web]]:
    with time_authority(tmp_path / "authority") as both:
        yield both


def unstamped(operator: Any, entry: int) -> str:
    """Why an entry that was to be stamped is not, or nothing."""
    stamp, why = (operator.home / "stamps" / f"{entry:08}.{end}" for end in ("tsr", "why"))
    assert stamp.exists() != why.exists()
    return why.read_text() if why.exists() else ""


def openssl_verifies(body: Path, stamp: Path, ca: Path) -> bool:
    command = ["openssl", "ts", "-verify", "-data", body, "-in", stamp, "-CAfile", ca]
    return subprocess.run(command, capture_output=True).returncode == 0


def stamped_run(operator: Any, authority: TimeAuthority) -> Path:
    """A run whose head was stamped; the file of the timestamp."""
    operator("run", "runbook.yaml", "-q", env={"DURUN_TSA": authority.url}, whole=True)
    entry = operator("verify", "--json").json["entries"]
    assert unstamped(operator, entry) == ""
    found: Path = operator.home / "stamps" / f"{entry:08}.tsr"
    return found


def test_a_head_is_stamped_and_openssl_proves_it_from_the_bundle(operator, authority):
    stamper, server = authority
    stamp = stamped_run(operator, stamper)
    (asked,) = server.seen
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/timestamp-query")
    proof = operator("verify", "--json", "--tsa-ca", stamper.ca).json
    (told,) = proof["stamps"]
    assert (told["entry"], told["proved"], proof["notes"]) == (proof["entries"], True, [])
    assert f"at {told['at']}, by an authority that counts\n" in operator("verify", "--tsa-ca", stamper.ca).out
    said = operator("verify").out
    assert f"\n  stamped: 1 entry of the register, the newest at {told['at']}\n" in said
    assert "\n  who gave the timestamps was not looked at: " in said

    for name in ("one.tar.gz", "two.tar.gz"):
        operator("export", "@last", "-o", name, "-q")
    assert (operator.place / "one.tar.gz").read_bytes() == (operator.place / "two.tar.gz").read_bytes()
    elsewhere = {"DURUN_HOME": str(operator.place / "elsewhere")}
    bundled = operator("verify", "one.tar.gz", "--json", "--tsa-ca", stamper.ca, env=elsewhere).json
    assert bundled["stamps"] == [told]
    with tarfile.open(operator.place / "one.tar.gz") as archive:
        # Python before 3.11.4 has no filters.
        filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(operator.place / "out", **filtered)
    (folder,) = (operator.place / "out").iterdir()
    body = folder / "register" / f"{told['entry']:08}.json"
    assert body.with_suffix(".tsr").read_bytes() == stamp.read_bytes()
    assert openssl_verifies(body, body.with_suffix(".tsr"), stamper.ca)
    worker = [sys.executable, "-m", "durun.stamps.worker", stamp.parent, body.read_text()]
    subprocess.run(worker, env={**operator.environment, "DURUN_TSA": stamper.url}, check=True)
    assert len(server.seen) == 1  # nobody is asked again for what there is
    told_how = [line for line in (folder / "VERIFY.md").read_text().splitlines() if "openssl ts -verify" in line]
    assert len(told_how) == 1


def test_a_run_that_parks_is_stamped_too(operator, authority):
    stamper, server = authority
    env = {"DURUN_TSA": stamper.url}
    operator("run", "doubt.yaml", "-q", code=3, env=env, whole=True)
    assert unstamped(operator, operator("verify", "--json").json["entries"]) == ""
    assert len(server.seen) == 1


def test_without_an_authority_nobody_is_asked(operator):
    operator("run", "runbook.yaml", "-q")
    assert not (operator.home / "stamps").exists()


@pytest.mark.parametrize("what", ["status", "rubbish", "too_long", "nobody"])
def test_an_authority_of_no_use_changes_nothing_and_is_told(operator, authority, what):
    stamper, server = authority
    answers = {
        "status": (lambda exchange: exchange.say(503), "the authority answered with status 503"),
        "rubbish": (lambda exchange: exchange.say(200, b"<html>"), "what the authority sent is no timestamp"),
        "too_long": (
            lambda exchange: exchange.say(200, bytes(1 << 21)),
            "what the authority sent is no timestamp: it is too long",
        ),
        "nobody": (lambda exchange: exchange.drop(), "the authority can't be asked: "),
    }
    answer, reason = answers[what]
    server.on("/stamp", answer)
    operator("run", "runbook.yaml", "-q", env={"DURUN_TSA": stamper.url}, whole=True)
    proof = operator("verify", "--json").json
    assert unstamped(operator, proof["entries"]).startswith(reason)
    (note,) = operator("verify", "--json").json["notes"]
    assert note.startswith(f"entry {proof['entries']} of the register has no timestamp: {reason}")
    assert operator("verify", "--json").json["stamps"] == []
    stamper.answer_with(lambda asked: asked)
    stamped_run(operator, stamper)  # which covers the one before, too
    assert "has no timestamp" not in operator("verify").out


def test_nobody_waits_for_an_authority_that_hangs(operator, authority):
    stamper, server = authority
    fifo = operator.fifo("fifo")
    server.on("/stamp", lambda exchange: fifo.read_bytes())
    env = {"DURUN_TSA": stamper.url, "DURUN_TSA_TIMEOUT": "1"}
    process = operator.start("run", "runbook.yaml", "-q", env=env, whole=True)
    try:
        process.stdout.read()  # it would not end
        assert process.wait() == 0
        entry = operator("verify", "--json").json["entries"]
        assert unstamped(operator, entry) == "the authority gave no answer in 1 s"
    finally:
        os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))


@pytest.mark.parametrize("by", [("reap",), ("resume", "--all")])
def test_what_was_not_stamped_is_asked_for_again_an_hour_later(operator, authority, by):
    stamper, server = authority
    env = {"DURUN_TSA": stamper.url}
    server.on("/stamp", lambda exchange: exchange.say(503))
    operator("run", "runbook.yaml", "-q", env=env, whole=True)
    entry = operator("verify", "--json").json["entries"]
    stamper.answer_with(lambda asked: asked)
    operator(*by, env=env, whole=True)
    assert len(server.seen) == 1  # not so soon
    why = operator.home / "stamps" / f"{entry:08}.why"
    os.utime(why, (why.stat().st_mtime - 3600,) * 2)
    operator(*by, whole=True)
    assert len(server.seen) == 1  # nobody is named who could
    operator(*by, env=env, whole=True)
    assert unstamped(operator, entry) == ""
    assert "has no timestamp" not in operator("verify").out
    operator(*by, env=env, whole=True)
    assert len(server.seen) == 2


def test_a_timestamp_of_another_digest_or_of_another_question_is_not_kept(operator, authority):
    stamper, _ = authority
    operator("run", "runbook.yaml", "-q")
    # A question for another digest, with the same nonce: the imprint is the only string of 32 bytes in it.
    stamper.answer_with(lambda asked: asked.replace(imprint(asked), bytes(32)))
    operator("run", "runbook.yaml", "-q", env={"DURUN_TSA": stamper.url}, whole=True)
    entry = operator("verify", "--json").json["entries"]
    assert unstamped(operator, entry) == "the timestamp is one of something else"
    first: list[bytes] = []
    stamper.answer_with(lambda asked: (first.append(asked), other_nonce(asked))[1])
    operator("run", "runbook.yaml", "-q", env={"DURUN_TSA": stamper.url}, whole=True)
    entry = operator("verify", "--json").json["entries"]
    assert unstamped(operator, entry) == "the timestamp is the answer to another request"


def imprint(question: bytes) -> bytes:
    at = question.index(b"\x04\x20") + 2
    return question[at : at + 32]


def other_nonce(question: bytes) -> bytes:
    """The same question with the lowest bit of its nonce turned: the number stands before the wish for certificates."""
    assert question.endswith(b"\x01\x01\xff")
    return question[:-4] + bytes([question[-4] ^ 1]) + question[-3:]


def test_a_refusal_is_told_with_its_reason(operator, tmp_path):
    with time_authority(tmp_path / "old", "sha512") as (stamper, _):
        operator("run", "runbook.yaml", "-q", env={"DURUN_TSA": stamper.url}, whole=True)
        entry = operator("verify", "--json").json["entries"]
        assert unstamped(operator, entry) == "the authority refused: Message digest algorithm is not supported."


def test_a_changed_or_a_strangers_timestamp_is_found(operator, authority, tmp_path):
    stamper, _ = authority
    stamp = stamped_run(operator, stamper)
    operator("export", "@last", "-o", "run.tar.gz", "-q")
    with time_authority(tmp_path / "stranger") as (stranger, _):
        for what in ((), ("run.tar.gz",)):
            error = json.loads(operator("verify", *what, "--json", "--tsa-ca", stranger.ca, code=7).err)["error"]
            assert "its signature proves nothing" in error["message"]
            assert "--tsa-ca" in error["hint"]
    later = stamp.with_name("00000099.tsr")
    later.write_bytes(stamp.read_bytes())
    assert "entry 99 of the register is missing: there is a timestamp of it" in operator("verify", code=7).err
    later.rename(stamp.with_name("00000002.tsr"))
    said = operator("verify", code=7).err
    assert "the timestamp of entry 2 of the register: the timestamp is one of something else" in said
    assert operator("verify", "--tsa-ca", "runbook.yaml", code=2).err.startswith(
        "durun: runbook.yaml has no certificates"
    )


def test_without_the_library_it_is_said_what_to_install(operator, authority):
    stamper, server = authority
    stamped_run(operator, stamper)
    (operator.place / "none").mkdir()
    (operator.place / "none" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'rfc3161_client' else find(name, package)\n"
    )
    env = {
        "DURUN_TSA": stamper.url,
        "PYTHONPATH": f"{operator.place / 'none'}:{operator.environment['PYTHONPATH']}",
    }
    ran = operator("run", "runbook.yaml", env=env, whole=True)
    assert "the head gets no timestamp" in ran.out + ran.err
    assert "pip install 'durun[timestamp]'" in ran.out + ran.err
    assert "timestamps (1) were not looked at" in operator("verify", env=env).out
    entry = operator("verify", "--json").json["entries"]
    assert "pip install 'durun[timestamp]'" in unstamped(operator, entry)
    assert len(server.seen) == 1
    assert "durun[timestamp]" in operator("verify", "--tsa-ca", stamper.ca, env=env, code=2).err
